# fish completion of fc-delete
function __fc_delete_operands
    set -l skip 0
    for w in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $w
            case -S --store -C --config --org -f --file -l --selector -m --message -o --output -q --filter --completion
                set skip 1
            case '-*'
            case '*'
                printf '%s\n' $w
        end
    end
end
# Are the operands those of $argv[2..-1], and with '+' perhaps more?
function __fc_delete_at
    set -l have (__fc_delete_operands)
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
function __fc_delete_names
    set -l name (commandline -ct)
    set -l kind $argv[2]
    set -l before ''
    if test -z "$kind"; and string match -q '*/*' -- $name
        set -l parts (string split -m 1 / -- $name)
        set kind $parts[1]
        set name $parts[2]
        set before $kind/
    else if test -z "$kind"; and test -n "$argv[1]"
        set kind (__fc_delete_operands)[1]
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
complete -c fc-delete -s S -l store -r -F -d 'store: sqlite:PATH, postgres://... or https://... (default: FC_STORE, then the configuration)'
complete -c fc-delete -s C -l config -r -F -d 'read this configuration file only'
complete -c fc-delete -l org -x -d 'organization (default: FC_ORG, then the default one)'
complete -c fc-delete -s f -l file -r -F -d 'delete what these documents describe: a file, a folder, or - for standard input; may be repeated'
complete -c fc-delete -s l -l selector -x -d 'all of the kind with these labels'
complete -c fc-delete -s m -l message -x -d 'why, for the history'
complete -c fc-delete -s n -l dry-run -d 'say what would be deleted'
complete -c fc-delete -s y -l yes -d 'do not ask; needed where nobody can be asked'
complete -c fc-delete -l ignore-missing -d 'pass over what does not exist'
complete -c fc-delete -s o -l output -x -a 'json yaml name table wide' -d 'output format (default: table on a terminal, else json)'
complete -c fc-delete -s q -l filter -x -d 'print what this jq program makes of each document'
complete -c fc-delete -s h -l help -d 'show this text'
complete -c fc-delete -s v -l verbose -d 'say more on stderr; may be repeated'
complete -c fc-delete -l version -d 'show the version'
complete -c fc-delete -l completion -x -a 'bash zsh fish' -d 'print the completion for a shell'
complete -c fc-delete -f -a '(__fc_delete_names "device fleet enrollmentrequest certificatesigningrequest repository resourcesync organization authprovider templateversion")'
