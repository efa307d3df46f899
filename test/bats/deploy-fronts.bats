# SPDX-License-Identifier: Apache-2.0
# fc-api behind other programs, each as its example under examples/ has it.
# once: what is tested is how others start fc-api; how it serves then is in deploy.bats
# shellcheck disable=SC2154 # set by run, and by what is loaded

load helpers
load api
load deploy

setup() { deploy_setup; }
teardown() { fc_teardown; }

apache() { # PORT
    local user

    user=$(account _fc) || return
    [ "$(id -u)" != 0 ] || chown -R "$user" "$FC_STATE"
    filled apache.conf "port=$1" "user=$user" modules=/usr/lib/apache2/modules >apache.conf
    started apache.log "$1" apache2 -D FOREGROUND -f "$T/apache.conf"
}

@test "CGI under Apache" {
    needs apache2 apache2
    on_ports 1 apache
    serves_all
}

nginx_front() { # PORT
    local user

    user=$(account www-data) || return
    mkdir -p run
    filled nginx.conf "port=$1" "user=$user" "socket=$T/api.sock" "run=$T/run" >nginx.conf
    started nginx.log "$1" nginx -e "$T/run/fc-nginx.log" -c "$T/nginx.conf"
}

# on_socket HEADER ...: a request past the front; prints the status.
on_socket() {
    curl -sS -o out -w '%{http_code}' --unix-socket api.sock "$@" http://x/api/v1/devices
}

@test "nginx in front of a socket-activated server, and nobody else" {
    local user uid

    needs nginx nginx
    user=$(account www-data)
    uid=$(id -u "$user")
    printf '[api]\ntrusted-header = X-SSL-Client-Cert\ntrusted-uid = %s\ntrusted-address = 127.0.0.7\n' \
        "$uid" >>"$FC_CONF"
    PATH=$(bindir):$PATH background activate.log sh "$TOP/examples/socket-activate.sh" "$T/api.sock"
    wait_for test -S api.sock
    chmod 660 api.sock
    [ "$(id -u)" != 0 ] || chgrp "$(id -g "$user")" api.sock
    on_ports 1 nginx_front
    serves_all
    cert=$(as_header admin)
    # Past the front: another account, then the front's own.
    if [ "$(id -u)" = 0 ]; then
        same 401 "$(on_socket -H "X-SSL-Client-Cert: $cert")"
        chmod 666 api.sock
        same 401 "$(setpriv --reuid 65534 --regid 65534 --clear-groups \
            curl -sS -w '%{http_code}' -o /dev/null --unix-socket api.sock \
            -H "X-SSL-Client-Cert: $cert" http://x/api/v1/devices)"
        same 200 "$(setpriv --reuid "$uid" --regid 65534 --clear-groups \
            curl -sS -w '%{http_code}' -o /dev/null --unix-socket api.sock \
            -H "X-SSL-Client-Cert: $cert" http://x/api/v1/devices)"
    fi
    # A header of another name is not the front's.
    same 401 "$(on_socket -H "Client-Cert: $cert")"
}

xinetd_both() { # PORT PORT
    filled xinetd.conf "user=$(id -un)" idle=1 "wait=$1" "nowait=$2" >xinetd.conf
    started xinetd.log "$*" xinetd -dontfork -f "$T/xinetd.conf" -pidfile "$T/xinetd.pid"
    NOWAIT_PORT=$2
}

@test "xinetd wait and nowait" {
    needs xinetd xinetd
    on_ports 2 xinetd_both
    serves_all one
    children "$SERVER"
    wait_for childless "$SERVER" # idle
    API_URL=https://127.0.0.1:$NOWAIT_PORT
    serves_all two
    wait_for childless "$SERVER"
}

ssh_forward() { # PORT PORT
    local locked=no

    case $(getent shadow "$(id -un)" | cut -d : -f 2) in '!'*) locked=yes ;; esac
    printf '%s\n' "Port $2" "ListenAddress 127.0.0.1" "HostKey $T/host" "PidFile none" "StrictModes no" \
        "UsePAM $locked" "PasswordAuthentication no" "PermitRootLogin forced-commands-only" \
        "AuthorizedKeysFile $T/authorized_keys" >sshd.conf
    started sshd.log "$2" "$(command -v sshd)" -D -e -f "$T/sshd.conf" || return
    printf '%s\n' "Host store" "HostName 127.0.0.1" "Port $2" "IdentityFile $T/client" "BatchMode yes" \
        "UserKnownHostsFile $T/known" "ControlPath $T/master" >ssh.conf
    echo "[127.0.0.1]:$2 $(cut -d ' ' -f 1,2 host.pub)" >known
    background master.log ssh -F ssh.conf -M -N store
    wait_for test -S master
    started forward.log "$1" systemd-socket-activate -a --inetd -l "127.0.0.1:$1" \
        "$(command -v ssh)" -F "$T/ssh.conf" store fc-api
}

@test "ssh HOST fc-api, and nothing else by that key" {
    needs sshd openssh-server
    needs ssh openssh-client
    [ "$(id -u)" != 0 ] || mkdir -p /run/sshd
    ssh-keygen -q -t ed25519 -N '' -f host
    ssh-keygen -q -t ed25519 -N '' -f client
    filled authorized_keys "key=$(cat client.pub)" >authorized_keys
    on_ports 2 ssh_forward
    serves_all
    # A shell is not to be had, nor another program; what answers is a TLS server.
    printf 'GET / HTTP/1.1\r\n\r\n' | timeout 20 ssh -F ssh.conf store id >out || :
    not grep -a uid= out
}
