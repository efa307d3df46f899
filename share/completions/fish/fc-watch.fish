# fish completion of fc-watch
function __fc_watch_operands
    set -l skip 0
    for w in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $w
            case -S --store -C --config --org -l --selector --field-selector --limit --since --timeout -o --output -q --filter --completion
                set skip 1
            case '-*'
            case '*'
                printf '%s\n' $w
        end
    end
end
# Are the operands those of $argv[2..-1], and with '+' perhaps more?
function __fc_watch_at
    set -l have (__fc_watch_operands)
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
function __fc_watch_names
    set -l name (commandline -ct)
    set -l kind $argv[2]
    set -l before ''
    if test -z "$kind"; and string match -q '*/*' -- $name
        set -l parts (string split -m 1 / -- $name)
        set kind $parts[1]
        set name $parts[2]
        set before $kind/
    else if test -z "$kind"; and test -n "$argv[1]"
        set kind (__fc_watch_operands)[1]
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
complete -c fc-watch -s S -l store -r -F -d 'store: sqlite:PATH, postgres://... or https://... (default: FC_STORE, then the configuration)'
complete -c fc-watch -s C -l config -r -F -d 'read this configuration file only'
complete -c fc-watch -l org -x -d 'organization (default: FC_ORG, then the default one)'
complete -c fc-watch -s l -l selector -x -d 'resources with these labels: site=berlin,!test'
complete -c fc-watch -l events -d 'events of these resources, not their changes'
complete -c fc-watch -l field-selector -x -a 'metadata.name= metadata.owner= metadata.alias= status.summary.status= status.updated.status= reason= type= involvedObject.kind=' -d 'resources or events with these fields: status.updated.status=OutOfDate'
complete -c fc-watch -l from-start -d 'begin with the oldest event that is kept'
complete -c fc-watch -l limit -x -d 'end after so many lines, 0 for no limit (default: 0)'
complete -c fc-watch -l now -d 'begin with what comes now (default)'
complete -c fc-watch -l since -x -d 'begin after the line that had this cursor'
complete -c fc-watch -l timeout -x -d 'end after this time: 90s, 10m, 24h (default: never)'
complete -c fc-watch -s o -l output -x -a 'json yaml name table wide' -d 'output format (default: table on a terminal, else json)'
complete -c fc-watch -s q -l filter -x -d 'print what this jq program makes of each document'
complete -c fc-watch -s h -l help -d 'show this text'
complete -c fc-watch -s v -l verbose -d 'say more on stderr; may be repeated'
complete -c fc-watch -l version -d 'show the version'
complete -c fc-watch -l completion -x -a 'bash zsh fish' -d 'print the completion for a shell'
complete -c fc-watch -f -a '(__fc_watch_names "devices fleets templateversions enrollmentrequests certificatesigningrequests repositories resourcesyncs organizations authproviders events")'
