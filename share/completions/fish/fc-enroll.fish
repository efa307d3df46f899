# fish completion of fc-enroll
function __fc_enroll_operands
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
function __fc_enroll_at
    set -l have (__fc_enroll_operands)
    set -l want $argv[2..-1]
    test (count $have) -ge (count $want); or return 1
    if test $argv[1] = =; and test (count $have) -ne (count $want)
        return 1
    end
    for i in (seq (count $want))
        test $have[$i] = $want[$i]; or return 1
    end
end
complete -c fc-enroll -s S -l store -r -F -d 'store: sqlite:PATH, postgres://... or https://... (default: FC_STORE, then the configuration)'
complete -c fc-enroll -s C -l config -r -F -d 'read this configuration file only'
complete -c fc-enroll -l org -x -d 'organization (default: FC_ORG, then the default one)'
complete -c fc-enroll -s h -l help -d 'show this text'
complete -c fc-enroll -s v -l verbose -d 'say more on stderr; may be repeated'
complete -c fc-enroll -l version -d 'show the version'
complete -c fc-enroll -l completion -x -a 'bash zsh fish' -d 'print the completion for a shell'
complete -c fc-enroll -f
complete -c fc-enroll -n '__fc_enroll_at = ' -a list -d 'show the requests'
complete -c fc-enroll -n '__fc_enroll_at + list' -l pending -d 'only those that wait for a decision'
complete -c fc-enroll -n '__fc_enroll_at + list' -s o -l output -x -a 'json yaml name table wide' -d 'output format (default: table on a terminal, else json)'
complete -c fc-enroll -n '__fc_enroll_at + list' -s q -l filter -x -d 'print what this jq program makes of each document'
complete -c fc-enroll -n '__fc_enroll_at = ' -a show -d 'show requests in full'
complete -c fc-enroll -n '__fc_enroll_at + show' -s o -l output -x -a 'json yaml name table wide' -d 'output format (default: table on a terminal, else json)'
complete -c fc-enroll -n '__fc_enroll_at + show' -s q -l filter -x -d 'print what this jq program makes of each document'
complete -c fc-enroll -n '__fc_enroll_at + show' -f -a '(fc-enroll list -q .metadata.name -o name 2>/dev/null)'
complete -c fc-enroll -n '__fc_enroll_at = ' -a approve -d 'let devices in'
complete -c fc-enroll -n '__fc_enroll_at + approve' -s a -l all -d 'all that wait for a decision'
complete -c fc-enroll -n '__fc_enroll_at + approve' -s l -l label -x -d 'give the device this label; repeated, or with commas'
complete -c fc-enroll -n '__fc_enroll_at + approve' -s m -l message -x -d 'why, for the history'
complete -c fc-enroll -n '__fc_enroll_at + approve' -l replace-labels -d 'drop the labels that the device asks for'
complete -c fc-enroll -n '__fc_enroll_at + approve' -l record -d 'record the decision; fc-work signs where the CA is'
complete -c fc-enroll -n '__fc_enroll_at + approve' -s n -l dry-run -d 'say what would happen'
complete -c fc-enroll -n '__fc_enroll_at + approve' -s o -l output -x -a 'json yaml name table wide' -d 'output format (default: table on a terminal, else json)'
complete -c fc-enroll -n '__fc_enroll_at + approve' -s q -l filter -x -d 'print what this jq program makes of each document'
complete -c fc-enroll -n '__fc_enroll_at + approve' -f -a '(fc-enroll list --pending -q .metadata.name -o name 2>/dev/null)'
complete -c fc-enroll -n '__fc_enroll_at = ' -a deny -d 'turn devices away'
complete -c fc-enroll -n '__fc_enroll_at + deny' -s m -l message -x -d 'why; the device shows it'
complete -c fc-enroll -n '__fc_enroll_at + deny' -s n -l dry-run -d 'say what would happen'
complete -c fc-enroll -n '__fc_enroll_at + deny' -s o -l output -x -a 'json yaml name table wide' -d 'output format (default: table on a terminal, else json)'
complete -c fc-enroll -n '__fc_enroll_at + deny' -s q -l filter -x -d 'print what this jq program makes of each document'
complete -c fc-enroll -n '__fc_enroll_at + deny' -f -a '(fc-enroll list --pending -q .metadata.name -o name 2>/dev/null)'
