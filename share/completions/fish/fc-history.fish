# fish completion of fc-history
function __fc_history_operands
    set -l skip 0
    for w in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $w
            case -S --store -C --config --org --limit --show -m --message --since --to --who -o --output -q --filter --completion
                set skip 1
            case '-*'
            case '*'
                printf '%s\n' $w
        end
    end
end
# Are the operands those of $argv[2..-1], and with '+' perhaps more?
function __fc_history_at
    set -l have (__fc_history_operands)
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
function __fc_history_names
    set -l name (commandline -ct)
    set -l kind $argv[2]
    set -l before ''
    if test -z "$kind"; and string match -q '*/*' -- $name
        set -l parts (string split -m 1 / -- $name)
        set kind $parts[1]
        set name $parts[2]
        set before $kind/
    else if test -z "$kind"; and test -n "$argv[1]"
        set kind (__fc_history_operands)[1]
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
complete -c fc-history -s S -l store -r -F -d 'store: sqlite:PATH, postgres://... or https://... (default: FC_STORE, then the configuration)'
complete -c fc-history -s C -l config -r -F -d 'read this configuration file only'
complete -c fc-history -l org -x -d 'organization (default: FC_ORG, then the default one)'
complete -c fc-history -l diff -d 'what changed, by the last change or the revisions given; status 1: something did'
complete -c fc-history -l limit -x -d 'at most so many changes (default: 0, all)'
complete -c fc-history -l show -x -d 'this revision, as fc-apply takes it'
complete -c fc-history -s m -l message -x -d 'undo: why, for the history'
complete -c fc-history -s n -l dry-run -d 'undo: show what would change, and change nothing'
complete -c fc-history -l partial -d 'undo: pass over what others have changed, too'
complete -c fc-history -l since -x -d 'undo: all changes since then'
complete -c fc-history -l to -x -d 'undo: back to this revision (default: the one before the last)'
complete -c fc-history -l who -x -d 'undo: with --since, those of this user alone'
complete -c fc-history -s y -l yes -d 'undo: do not ask; needed where nobody can be asked'
complete -c fc-history -s o -l output -x -a 'json yaml name table wide' -d 'output format (default: table on a terminal, else json)'
complete -c fc-history -s q -l filter -x -d 'print what this jq program makes of each document'
complete -c fc-history -s h -l help -d 'show this text'
complete -c fc-history -s v -l verbose -d 'say more on stderr; may be repeated'
complete -c fc-history -l version -d 'show the version'
complete -c fc-history -l completion -x -a 'bash zsh fish' -d 'print the completion for a shell'
complete -c fc-history -f -a '(__fc_history_names "undo device fleet enrollmentrequest certificatesigningrequest repository resourcesync organization authprovider")'
