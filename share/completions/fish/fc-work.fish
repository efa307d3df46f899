# fish completion of fc-work
function __fc_work_operands
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
function __fc_work_at
    set -l have (__fc_work_operands)
    set -l want $argv[2..-1]
    test (count $have) -ge (count $want); or return 1
    if test $argv[1] = =; and test (count $have) -ne (count $want)
        return 1
    end
    for i in (seq (count $want))
        test $have[$i] = $want[$i]; or return 1
    end
end
complete -c fc-work -s S -l store -r -F -d 'store: sqlite:PATH, postgres://... or https://... (default: FC_STORE, then the configuration)'
complete -c fc-work -s C -l config -r -F -d 'read this configuration file only'
complete -c fc-work -l org -x -d 'organization (default: FC_ORG, then the default one)'
complete -c fc-work -s h -l help -d 'show this text'
complete -c fc-work -s v -l verbose -d 'say more on stderr; may be repeated'
complete -c fc-work -l version -d 'show the version'
complete -c fc-work -l completion -x -a 'bash zsh fish' -d 'print the completion for a shell'
complete -c fc-work -f
complete -c fc-work -n '__fc_work_at = ' -a drain -d 'do all tasks that are due, then end'
complete -c fc-work -n '__fc_work_at + drain' -s Q -l queue -x -a 'render rollout sign issuer' -d 'only this queue; may be repeated (default: all; sign only where the CA\'s key can be read)'
complete -c fc-work -n '__fc_work_at + drain' -l max -x -d 'at most so many tasks, 0 for all (default: 0)'
