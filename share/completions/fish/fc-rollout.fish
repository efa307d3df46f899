# fish completion of fc-rollout
function __fc_rollout_operands
    set -l skip 0
    for w in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $w
            case -S --store -C --config --org --completion
                set skip 1
            case '-*'
            case '*'
                printf '%s\n' $w
        end
    end
end
# Are the operands those of $argv[2..-1], and with '+' perhaps more?
function __fc_rollout_at
    set -l have (__fc_rollout_operands)
    set -l want $argv[2..-1]
    test (count $have) -ge (count $want); or return 1
    if test $argv[1] = =; and test (count $have) -ne (count $want)
        return 1
    end
    for i in (seq (count $want))
        test $have[$i] = $want[$i]; or return 1
    end
end
# KINDS [KIND]: KIND, KIND/NAME and NAME after KIND, or NAME of the one
function __fc_rollout_names
    set -l name (commandline -ct)
    set -l kind $argv[2]
    set -l before ''
    if test -z "$kind"; and string match -q '*/*' -- $name
        set -l parts (string split -m 1 / -- $name)
        set kind $parts[1]
        set name $parts[2]
        set before $kind/
    else if test -z "$kind"; and test -n "$argv[1]"
        set kind (__fc_rollout_operands)[1]
    end
    set -l found
    set -l rc 2
    if test -n "$kind"
        set found (fc-select $kind --prefix "$name" --limit 100 -o name 2>/dev/null)
        set rc $status
    end
    if set -q found[1]
        string replace -r '^[^/]*/' "$before" -- $found
    else if test $rc = 2
        string split -n ' ' -- $argv[1]
    end
end
complete -c fc-rollout -s S -l store -r -F -d 'store: sqlite:PATH, postgres://... or https://... (default: FC_STORE, then the configuration)'
complete -c fc-rollout -s C -l config -r -F -d 'read this configuration file only'
complete -c fc-rollout -l org -x -d 'organization (default: FC_ORG, then the default one)'
complete -c fc-rollout -s h -l help -d 'show this text'
complete -c fc-rollout -s v -l verbose -d 'say more on stderr; may be repeated'
complete -c fc-rollout -l version -d 'show the version'
complete -c fc-rollout -l completion -x -a 'bash zsh fish' -d 'print the completion for a shell'
complete -c fc-rollout -f
complete -c fc-rollout -n '__fc_rollout_at = ' -a plan -d 'show the batches that a rollout has'
complete -c fc-rollout -n '__fc_rollout_at + plan' -s f -l file -r -F -d 'plan for these fleets instead of the store\'s; may be repeated'
complete -c fc-rollout -n '__fc_rollout_at + plan' -l names -x -d 'names of a batch\'s devices, 0 for all (default: 10 in a table, else all)'
complete -c fc-rollout -n '__fc_rollout_at + plan' -l now -x -d 'as if it were this time (RFC 3339)'
complete -c fc-rollout -n '__fc_rollout_at + plan' -s o -l output -x -a 'json yaml name table wide' -d 'output format (default: table on a terminal, else json)'
complete -c fc-rollout -n '__fc_rollout_at + plan' -s q -l filter -x -d 'print what this jq program makes of each document'
complete -c fc-rollout -n '__fc_rollout_at + plan' -f -a '(__fc_rollout_names "" "fleet")'
complete -c fc-rollout -n '__fc_rollout_at = ' -a status -d 'show how far it is, and why not farther'
complete -c fc-rollout -n '__fc_rollout_at + status' -s o -l output -x -a 'json yaml name table wide' -d 'output format (default: table on a terminal, else json)'
complete -c fc-rollout -n '__fc_rollout_at + status' -s q -l filter -x -d 'print what this jq program makes of each document'
complete -c fc-rollout -n '__fc_rollout_at + status' -f -a '(__fc_rollout_names "" "fleet")'
complete -c fc-rollout -n '__fc_rollout_at = ' -a step -d 'take it as far as reports allow'
complete -c fc-rollout -n '__fc_rollout_at + step' -s m -l message -x -d 'why, for the history'
complete -c fc-rollout -n '__fc_rollout_at + step' -s n -l dry-run -d 'say what would happen'
complete -c fc-rollout -n '__fc_rollout_at + step' -s o -l output -x -a 'json yaml name table wide' -d 'output format (default: table on a terminal, else json)'
complete -c fc-rollout -n '__fc_rollout_at + step' -s q -l filter -x -d 'print what this jq program makes of each document'
complete -c fc-rollout -n '__fc_rollout_at + step' -f -a '(__fc_rollout_names "" "fleet")'
complete -c fc-rollout -n '__fc_rollout_at = ' -a retry -d 'have failed devices try again'
complete -c fc-rollout -n '__fc_rollout_at + retry' -s m -l message -x -d 'why, for the history'
complete -c fc-rollout -n '__fc_rollout_at + retry' -s n -l dry-run -d 'say what would happen'
complete -c fc-rollout -n '__fc_rollout_at + retry' -s o -l output -x -a 'json yaml name table wide' -d 'output format (default: table on a terminal, else json)'
complete -c fc-rollout -n '__fc_rollout_at + retry' -s q -l filter -x -d 'print what this jq program makes of each document'
complete -c fc-rollout -n '__fc_rollout_at + retry' -f -a '(__fc_rollout_names "" "fleet")'
