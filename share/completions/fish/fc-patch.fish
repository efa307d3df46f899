# fish completion of fc-patch
function __fc_patch_operands
    set -l skip 0
    for w in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $w
            case -S --store -C --config --org -f --file -m --message -p --patch --type -o --output -q --filter --completion
                set skip 1
            case '-*'
            case '*'
                printf '%s\n' $w
        end
    end
end
# Are the operands those of $argv[2..-1], and with '+' perhaps more?
function __fc_patch_at
    set -l have (__fc_patch_operands)
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
function __fc_patch_names
    set -l name (commandline -ct)
    set -l kind $argv[2]
    set -l before ''
    if test -z "$kind"; and string match -q '*/*' -- $name
        set -l parts (string split -m 1 / -- $name)
        set kind $parts[1]
        set name $parts[2]
        set before $kind/
    else if test -z "$kind"; and test -n "$argv[1]"
        set kind (__fc_patch_operands)[1]
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
complete -c fc-patch -s S -l store -r -F -d 'store: sqlite:PATH, postgres://... or https://... (default: FC_STORE, then the configuration)'
complete -c fc-patch -s C -l config -r -F -d 'read this configuration file only'
complete -c fc-patch -l org -x -d 'organization (default: FC_ORG, then the default one)'
complete -c fc-patch -s f -l file -r -F -d 'a patch, or - for standard input; may be repeated'
complete -c fc-patch -s m -l message -x -d 'why, for the history'
complete -c fc-patch -s n -l dry-run -d 'say what would change, and change nothing'
complete -c fc-patch -s p -l patch -x -d 'a patch; may be repeated'
complete -c fc-patch -l allow-unknown -d 'keep unknown members where the API does'
complete -c fc-patch -l diff -d 'show the difference, and change nothing; 1 if there is one'
complete -c fc-patch -l status -d 'change the status alone'
complete -c fc-patch -l type -x -a 'json merge' -d 'json (RFC 6902) or merge (RFC 7386); default: json for an array, merge for an object'
complete -c fc-patch -s o -l output -x -a 'json yaml name table wide' -d 'output format (default: table on a terminal, else json)'
complete -c fc-patch -s q -l filter -x -d 'print what this jq program makes of each document'
complete -c fc-patch -s h -l help -d 'show this text'
complete -c fc-patch -s v -l verbose -d 'say more on stderr; may be repeated'
complete -c fc-patch -l version -d 'show the version'
complete -c fc-patch -l completion -x -a 'bash zsh fish' -d 'print the completion for a shell'
complete -c fc-patch -f -a '(__fc_patch_names "device fleet enrollmentrequest certificatesigningrequest repository resourcesync organization authprovider")'
