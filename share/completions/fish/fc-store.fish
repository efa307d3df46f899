# fish completion of fc-store
function __fc_store_operands
    set -l skip 0
    for w in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $w
            case -S --store -C --config --completion
                set skip 1
            case '-*'
            case '*'
                printf '%s\n' $w
        end
    end
end
# Are the operands those of $argv[2..-1], and with '+' perhaps more?
function __fc_store_at
    set -l have (__fc_store_operands)
    set -l want $argv[2..-1]
    test (count $have) -ge (count $want); or return 1
    if test $argv[1] = =; and test (count $have) -ne (count $want)
        return 1
    end
    for i in (seq (count $want))
        test $have[$i] = $want[$i]; or return 1
    end
end
complete -c fc-store -s S -l store -r -F -d 'store: sqlite:PATH or postgres://... (default: FC_STORE, then the configuration)'
complete -c fc-store -s C -l config -r -F -d 'read this configuration file only'
complete -c fc-store -s h -l help -d 'show this text'
complete -c fc-store -s v -l verbose -d 'say more on stderr; may be repeated'
complete -c fc-store -l version -d 'show the version'
complete -c fc-store -l completion -x -a 'bash zsh fish' -d 'print the completion for a shell'
complete -c fc-store -f
complete -c fc-store -n '__fc_store_at = ' -a init -d 'make an empty store'
complete -c fc-store -n '__fc_store_at = ' -a migrate -d 'bring the store of an earlier version forward'
complete -c fc-store -n '__fc_store_at + migrate' -s n -l dry-run -d 'do it, say what was done, and take it back'
complete -c fc-store -n '__fc_store_at + migrate' -l backup -r -F -d 'make a backup before'
complete -c fc-store -n '__fc_store_at = ' -a backup -d 'copy the store as it is now (-: to standard output)'
complete -c fc-store -n '__fc_store_at + backup' -s f -l force -d 'over a file that exists'
complete -c fc-store -n '__fc_store_at + backup' -F
complete -c fc-store -n '__fc_store_at = ' -a restore -d 'put a backup in the store\'s place'
complete -c fc-store -n '__fc_store_at + restore' -s f -l force -d 'over a store that exists'
complete -c fc-store -n '__fc_store_at + restore' -F
complete -c fc-store -n '__fc_store_at = ' -a check -d 'look whether all that is stored fits together'
complete -c fc-store -n '__fc_store_at + check' -l fix -d 'mend what is derived from other rows'
complete -c fc-store -n '__fc_store_at + check' -s o -l output -x -a 'json yaml name table wide' -d 'output format (default: table on a terminal, else json)'
complete -c fc-store -n '__fc_store_at + check' -s q -l filter -x -d 'print what this jq program makes of each document'
complete -c fc-store -n '__fc_store_at = ' -a gc -d 'remove what is old and what nothing needs'
complete -c fc-store -n '__fc_store_at + gc' -s n -l dry-run -d 'only count'
complete -c fc-store -n '__fc_store_at + gc' -l compact -d 'give the space back, and learn anew what the rows are like'
complete -c fc-store -n '__fc_store_at + gc' -s o -l output -x -a 'json yaml name table wide' -d 'output format (default: table on a terminal, else json)'
complete -c fc-store -n '__fc_store_at + gc' -s q -l filter -x -d 'print what this jq program makes of each document'
complete -c fc-store -n '__fc_store_at = ' -a info -d 'say what is in the store'
complete -c fc-store -n '__fc_store_at + info' -s o -l output -x -a 'json yaml name table wide' -d 'output format (default: table on a terminal, else json)'
complete -c fc-store -n '__fc_store_at + info' -s q -l filter -x -d 'print what this jq program makes of each document'
complete -c fc-store -n '__fc_store_at = ' -a export -d 'write the store as JSON lines'
complete -c fc-store -n '__fc_store_at + export' -l org -x -d 'this organization alone (default: the whole store)'
complete -c fc-store -n '__fc_store_at + export' -l no-events -d 'leave the log of events out'
complete -c fc-store -n '__fc_store_at + export' -l no-history -d 'leave revisions out'
complete -c fc-store -n '__fc_store_at = ' -a import -d 'read them into an empty store'
complete -c fc-store -n '__fc_store_at + import' -s n -l dry-run -d 'only check what would be imported'
complete -c fc-store -n '__fc_store_at + import' -s f -l force -d 'throw away first what an interrupted import has left'
complete -c fc-store -n '__fc_store_at + import' -l org -x -d 'name of the organization here (default: the one it had)'
complete -c fc-store -n '__fc_store_at + import' -F
complete -c fc-store -n '__fc_store_at = ' -a rekey -d 'seal the secrets with a new key'
complete -c fc-store -n '__fc_store_at + rekey' -s n -l dry-run -d 'say how much would be sealed anew, and what does not open'
complete -c fc-store -n '__fc_store_at + rekey' -s y -l yes -d 'do not ask; with --abandon needed where nobody can be asked'
complete -c fc-store -n '__fc_store_at + rekey' -l abandon -d 'give up secrets that cannot be opened'
complete -c fc-store -n '__fc_store_at + rekey' -l keep-old -d 'leave the old keys in the key file'
