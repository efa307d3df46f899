# fish completion of fc-select
function __fc_select_operands
    set -l skip 0
    for w in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $w
            case -S --store -C --config --org -l --selector --at --continue --field-selector --fleet --limit --of --order --prefix -o --output -q --filter --completion
                set skip 1
            case '-*'
            case '*'
                printf '%s\n' $w
        end
    end
end
# Are the operands those of $argv[2..-1], and with '+' perhaps more?
function __fc_select_at
    set -l have (__fc_select_operands)
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
function __fc_select_names
    set -l name (commandline -ct)
    set -l kind $argv[2]
    set -l before ''
    if test -z "$kind"; and string match -q '*/*' -- $name
        set -l parts (string split -m 1 / -- $name)
        set kind $parts[1]
        set name $parts[2]
        set before $kind/
    else if test -z "$kind"; and test -n "$argv[1]"
        set kind (__fc_select_operands)[1]
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
complete -c fc-select -s S -l store -r -F -d 'store: sqlite:PATH, postgres://... or https://... (default: FC_STORE, then the configuration)'
complete -c fc-select -s C -l config -r -F -d 'read this configuration file only'
complete -c fc-select -l org -x -d 'organization (default: FC_ORG, then the default one)'
complete -c fc-select -s l -l selector -x -d 'those with these labels: site=berlin,!test,tier in (a,b)'
complete -c fc-select -l at -x -d 'as it was then: 2026-05-04T03:02:01Z, 2026-05-04, yesterday, -2h'
complete -c fc-select -l continue -x -d 'the page that a list with --limit told of'
complete -c fc-select -l count -d 'only say how many there are'
complete -c fc-select -l field-selector -x -a 'metadata.name= metadata.owner= metadata.alias= metadata.creationTimestamp> status.summary.status= status.updated.status= reason= type=' -d 'those with these fields: status.updated.status=OutOfDate'
complete -c fc-select -l fleet -x -a '(__fc_select_names "" "fleet")' -d 'template versions of this fleet'
complete -c fc-select -l limit -x -d 'at most so many, 0 for all (default: 0; events: 100)'
complete -c fc-select -l of -x -a '(__fc_select_names "")' -d 'events of this resource'
complete -c fc-select -l order -x -a 'asc desc' -d 'events: oldest or newest first (default: desc)'
complete -c fc-select -l prefix -x -d 'those whose names begin so'
complete -c fc-select -l rendered -d 'devices with the spec that they were given'
complete -c fc-select -l summary -d 'only say how many devices are in which state'
complete -c fc-select -s o -l output -x -a 'json yaml name table wide' -d 'output format (default: table on a terminal, else json)'
complete -c fc-select -s q -l filter -x -d 'print what this jq program makes of each document'
complete -c fc-select -s h -l help -d 'show this text'
complete -c fc-select -s v -l verbose -d 'say more on stderr; may be repeated'
complete -c fc-select -l version -d 'show the version'
complete -c fc-select -l completion -x -a 'bash zsh fish' -d 'print the completion for a shell'
complete -c fc-select -f -a '(__fc_select_names "devices fleets templateversions enrollmentrequests certificatesigningrequests repositories resourcesyncs organizations authproviders events labels")'
