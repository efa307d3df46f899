# fish completion of fc-sign
function __fc_sign_operands
    set -l skip 0
    for w in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $w
            case -C --config --state --completion
                set skip 1
            case '-*'
            case '*'
                printf '%s\n' $w
        end
    end
end
# Are the operands those of $argv[2..-1], and with '+' perhaps more?
function __fc_sign_at
    set -l have (__fc_sign_operands)
    set -l want $argv[2..-1]
    test (count $have) -ge (count $want); or return 1
    if test $argv[1] = =; and test (count $have) -ne (count $want)
        return 1
    end
    for i in (seq (count $want))
        test $have[$i] = $want[$i]; or return 1
    end
end
complete -c fc-sign -s C -l config -r -F -d 'read this configuration file only'
complete -c fc-sign -l state -x -a '(__fish_complete_directories)' -d 'folder of the state (default: FC_STATE, then the configuration)'
complete -c fc-sign -s h -l help -d 'show this text'
complete -c fc-sign -s v -l verbose -d 'say more on stderr; may be repeated'
complete -c fc-sign -l version -d 'show the version'
complete -c fc-sign -l completion -x -a 'bash zsh fish' -d 'print the completion for a shell'
complete -c fc-sign -f
complete -c fc-sign -n '__fc_sign_at = ' -a ca -d ''
complete -c fc-sign -n '__fc_sign_at = ca' -a init -d 'make the authority\'s key and certificate'
complete -c fc-sign -n '__fc_sign_at + ca init' -s d -l days -x -d 'validity (default: 3650)'
complete -c fc-sign -n '__fc_sign_at + ca init' -s n -l dry-run -d 'check and say what would be written'
complete -c fc-sign -n '__fc_sign_at + ca init' -l cn -x -d 'name of the authority (default: Flight Control CA)'
complete -c fc-sign -n '__fc_sign_at = ca' -a show -d 'show the authority\'s certificate'
complete -c fc-sign -n '__fc_sign_at + ca show' -s o -l output -x -a 'json yaml name table wide' -d 'output format (default: table on a terminal, else json)'
complete -c fc-sign -n '__fc_sign_at + ca show' -s q -l filter -x -d 'print what this jq program makes of each document'
complete -c fc-sign -n '__fc_sign_at = ' -a server -d 'key and certificate for a server\'s DNS names and IP addresses'
complete -c fc-sign -n '__fc_sign_at + server' -s d -l days -x -d 'validity (default: 365)'
complete -c fc-sign -n '__fc_sign_at + server' -s f -l force -d 'replace files that exist'
complete -c fc-sign -n '__fc_sign_at + server' -s n -l dry-run -d 'check and say what would be written'
complete -c fc-sign -n '__fc_sign_at + server' -s o -l out -r -F -d 'write PREFIX.key and PREFIX.crt (default: server in the state folder)'
complete -c fc-sign -n '__fc_sign_at = ' -a enrollment -d 'bootstrap key and certificate, with which devices ask to be enrolled'
complete -c fc-sign -n '__fc_sign_at + enrollment' -s d -l days -x -d 'validity (default: 365)'
complete -c fc-sign -n '__fc_sign_at + enrollment' -s f -l force -d 'replace files that exist'
complete -c fc-sign -n '__fc_sign_at + enrollment' -s n -l dry-run -d 'check and say what would be written'
complete -c fc-sign -n '__fc_sign_at + enrollment' -s o -l out -r -F -d 'write PREFIX.key and PREFIX.crt (default: enrollment in the state folder); with --server the file to write (default: standard output)'
complete -c fc-sign -n '__fc_sign_at + enrollment' -l name -x -d 'a name of its own: CN client-enrollment-NAME'
complete -c fc-sign -n '__fc_sign_at + enrollment' -l org -x -d 'organization (default: FC_ORG, then the default one)'
complete -c fc-sign -n '__fc_sign_at + enrollment' -l server -x -d 'make a device\'s config.yaml for this server instead, with key and certificates in it'
complete -c fc-sign -n '__fc_sign_at + enrollment' -l server-ca -r -F -d 'with --server: certificates that the server\'s is checked with (default: this authority\'s)'
complete -c fc-sign -n '__fc_sign_at = ' -a admin -d 'an administrator\'s key and certificate'
complete -c fc-sign -n '__fc_sign_at + admin' -s d -l days -x -d 'validity (default: 365)'
complete -c fc-sign -n '__fc_sign_at + admin' -s f -l force -d 'replace files that exist'
complete -c fc-sign -n '__fc_sign_at + admin' -s n -l dry-run -d 'check and say what would be written'
complete -c fc-sign -n '__fc_sign_at + admin' -s o -l out -r -F -d 'write PREFIX.key and PREFIX.crt (default: admin-NAME in the state folder)'
complete -c fc-sign -n '__fc_sign_at + admin' -l org -x -d 'organization (default: FC_ORG, then the default one)'
complete -c fc-sign -n '__fc_sign_at = ' -a csr -d 'sign a certificate request (- is standard input) and print the certificate'
complete -c fc-sign -n '__fc_sign_at + csr' -s d -l days -x -d 'validity (default: 365)'
complete -c fc-sign -n '__fc_sign_at + csr' -s n -l dry-run -d 'check and say what would be written'
complete -c fc-sign -n '__fc_sign_at + csr' -l signer -x -a 'device renewal enrollment admin user server' -d 'whose rules it is signed under (default: device)'
complete -c fc-sign -n '__fc_sign_at + csr' -l cn -x -d 'common name instead of the request\'s'
complete -c fc-sign -n '__fc_sign_at + csr' -l name -x -d 'server: DNS name or IP address instead of the request\'s; may be repeated'
complete -c fc-sign -n '__fc_sign_at + csr' -l org -x -d 'organization (default: FC_ORG, then the default one)'
complete -c fc-sign -n '__fc_sign_at + csr' -F
complete -c fc-sign -n '__fc_sign_at = ' -a token -d ''
complete -c fc-sign -n '__fc_sign_at = token' -a issue -d 'print a token that a person or a program shows to the API'
complete -c fc-sign -n '__fc_sign_at + token issue' -s S -l store -r -F -d 'store: sqlite:PATH or postgres://... (default: FC_STORE, then the configuration)'
complete -c fc-sign -n '__fc_sign_at + token issue' -l org -x -d 'organization (default: FC_ORG, then the default one)'
complete -c fc-sign -n '__fc_sign_at + token issue' -s n -l dry-run -d 'check and say what would be issued'
complete -c fc-sign -n '__fc_sign_at + token issue' -l for -x -d 'how long it is valid: 8h, 30d (default: [tokens] lifetime)'
complete -c fc-sign -n '__fc_sign_at + token issue' -s g -l group -x -d 'a group that it speaks for; may be repeated'
complete -c fc-sign -n '__fc_sign_at + token issue' -s r -l role -x -a 'admin org-admin operator viewer installer' -d 'a role that it has; may be repeated'
complete -c fc-sign -n '__fc_sign_at = token' -a list -d 'show which tokens there are, but not the tokens'
complete -c fc-sign -n '__fc_sign_at + token list' -s S -l store -r -F -d 'store: sqlite:PATH or postgres://... (default: FC_STORE, then the configuration)'
complete -c fc-sign -n '__fc_sign_at + token list' -l org -x -d 'organization (default: FC_ORG, then the default one)'
complete -c fc-sign -n '__fc_sign_at + token list' -s o -l output -x -a 'json yaml name table wide' -d 'output format (default: table on a terminal, else json)'
complete -c fc-sign -n '__fc_sign_at + token list' -s q -l filter -x -d 'print what this jq program makes of each document'
complete -c fc-sign -n '__fc_sign_at = token' -a revoke -d 'end tokens, named as the list does'
complete -c fc-sign -n '__fc_sign_at + token revoke' -s S -l store -r -F -d 'store: sqlite:PATH or postgres://... (default: FC_STORE, then the configuration)'
complete -c fc-sign -n '__fc_sign_at + token revoke' -l org -x -d 'organization (default: FC_ORG, then the default one)'
complete -c fc-sign -n '__fc_sign_at + token revoke' -f -a '(fc-sign token list -o name 2>/dev/null)'
