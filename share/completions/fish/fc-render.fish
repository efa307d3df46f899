# fish completion of fc-render
function __fc_render_operands
    set -l skip 0
    for w in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $w
            case -S --store -C --config --org -f --file -l --selector -o --output -q --filter --completion
                set skip 1
            case '-*'
            case '*'
                printf '%s\n' $w
        end
    end
end
# Are the operands those of $argv[2..-1], and with '+' perhaps more?
function __fc_render_at
    set -l have (__fc_render_operands)
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
function __fc_render_names
    set -l name (commandline -ct)
    set -l kind $argv[2]
    set -l before ''
    if test -z "$kind"; and string match -q '*/*' -- $name
        set -l parts (string split -m 1 / -- $name)
        set kind $parts[1]
        set name $parts[2]
        set before $kind/
    else if test -z "$kind"; and test -n "$argv[1]"
        set kind (__fc_render_operands)[1]
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
complete -c fc-render -s S -l store -r -F -d 'store: sqlite:PATH, postgres://... or https://... (default: FC_STORE, then the configuration)'
complete -c fc-render -s C -l config -r -F -d 'read this configuration file only'
complete -c fc-render -l org -x -d 'organization (default: FC_ORG, then the default one)'
complete -c fc-render -s a -l all -d 'every device (default with --diff -f)'
complete -c fc-render -s f -l file -r -F -d 'fleets that stand in for the store\'s, at their newest; may be repeated'
complete -c fc-render -s l -l selector -x -d 'devices with these labels'
complete -c fc-render -l diff -d 'what would change for each device; status 1: something would'
complete -c fc-render -l explain -d 'where each part comes from'
complete -c fc-render -l latest -d 'each fleet\'s newest template, not the device\'s assigned one'
complete -c fc-render -s o -l output -x -a 'json yaml name table wide' -d 'output format (default: table on a terminal, else json)'
complete -c fc-render -s q -l filter -x -d 'print what this jq program makes of each document'
complete -c fc-render -s h -l help -d 'show this text'
complete -c fc-render -s v -l verbose -d 'say more on stderr; may be repeated'
complete -c fc-render -l version -d 'show the version'
complete -c fc-render -l completion -x -a 'bash zsh fish' -d 'print the completion for a shell'
complete -c fc-render -f -a '(__fc_render_names "" "device")'
