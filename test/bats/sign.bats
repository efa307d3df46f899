# SPDX-License-Identifier: Apache-2.0
# fc-sign through the real command, its certificates read by the openssl command.

load helpers

setup() { fc_setup; }
teardown() { fc_teardown; }

ca() { fc-sign ca init >/dev/null; }

text() { openssl x509 -in "$1" -noout -text; }

# The value of an extension as "TYPE :text", from the DER of the certificate.
ext() {
    local at
    at=$(openssl asn1parse -in "$1" | grep -A1 ":1.3.6.1.4.1.99999.1.$2\$" | tail -n 1 |
        sed 's/ *\([0-9]*\):.*/\1/')
    [ -n "$at" ] || return 1
    openssl asn1parse -in "$1" -strparse "$at" | sed 's/.*prim: *//; s/ *:/ /'
}

# A key, a request with its device name as CN, in $1.key and $1.csr; prints the name.
device() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
    name_of "$1.key" >"$1.name"
    openssl req -new -key "$1.key" -subj "/CN=${2-}$(cat "$1.name")" -out "$1.csr"
    cat "$1.name"
}

# The device name of a key, computed without the code under test.
name_of() {
    local hex x y
    hex=$(openssl pkey -in "$1" -pubout -outform DER | tail -c 64 | od -An -v -tx1 | tr -d ' \n')
    x=$(printf %s "${hex:0:64}" | sed -E 's/^(00)+//')
    y=$(printf %s "${hex:64}" | sed -E 's/^(00)+//')
    printf %s "$x$y" | sed 's/../\\x&/g' | xargs -0 printf %b | openssl dgst -sha256 -binary |
        base32 -w0 | tr 'A-Z2-7' '0-9A-V' | tr 'A-V' 'a-v' | tr -d =
}

@test "ca init makes a key and a certificate, and never twice" {
    run fc-sign ca init
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "wrote $FC_STATE/ca/ca.key: private key" ]
    [[ ${lines[1]} == "wrote $FC_STATE/ca/ca.crt: certificate of Flight Control CA, valid "* ]]
    [ "$(stat -c %a state/ca)" = 700 ]
    [ "$(stat -c %a state/ca/ca.key)" = 600 ]
    head -n 1 state/ca/ca.key | grep -qx -- '-----BEGIN EC PRIVATE KEY-----'
    text state/ca/ca.crt >t
    grep -A1 'Basic Constraints: critical' t | grep -q 'CA:TRUE'
    grep -A1 'Key Usage: critical' t | grep -q 'Certificate Sign, CRL Sign'
    openssl verify -x509_strict -CAfile state/ca/ca.crt state/ca/ca.crt

    sum=$(sha256sum state/ca/*)
    run fc-sign ca init
    [ "$status" -eq 4 ]
    [ "$output" = "fc-sign: $FC_STATE/ca/ca.crt: exists already" ]
    [ "$(sha256sum state/ca/*)" = "$sum" ]
}

@test "ca init after a run that was killed keeps the key" {
    ca
    sum=$(sha256sum state/ca/ca.key)
    rm state/ca/ca.crt
    ca
    [ "$(sha256sum state/ca/ca.key)" = "$sum" ]
    fc-sign admin alice
}

@test "ca init --cn, -d and -n" {
    run fc-sign ca init -n
    [ "$status" -eq 0 ]
    [ ! -e state/ca ]
    fc-sign ca init --cn 'Züge & Co' -d 30
    openssl x509 -in state/ca/ca.crt -noout -checkend $((29 * 86400))
    run openssl x509 -in state/ca/ca.crt -noout -checkend $((31 * 86400))
    [ "$status" -eq 1 ]
    [ "$(fc-sign ca show -q .subject)" = '"Züge & Co"' ]
}

@test "ca show agrees with openssl" {
    ca
    run fc-sign ca show
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    sha=$(openssl x509 -in state/ca/ca.crt -noout -fingerprint -sha256 | sed 's/.*=//')
    [ "$(fc-sign ca show -q .sha256)" = "\"$sha\"" ]
    ski=$(openssl x509 -in state/ca/ca.crt -noout -ext subjectKeyIdentifier | sed -n '2s/ *//gp')
    [ "$(fc-sign ca show -q .subjectKeyIdentifier)" = "\"$ski\"" ]
    serial=$(openssl x509 -in state/ca/ca.crt -noout -serial | sed 's/.*=//' | tr A-F a-f)
    [ "$(fc-sign ca show -q .serial)" = "\"$serial\"" ]
    fc-sign ca show -o table | grep -q '^SUBJECT  *VALID UNTIL  *KEY ID'
}

@test "without an authority every signing says how to make one" {
    for cmd in 'server a.example' 'admin alice' enrollment 'enrollment --server https://a'; do
        run fc-sign $cmd
        [ "$status" -eq 3 ]
        same "fc-sign: $FC_STATE/ca/ca.key: no such key; fc-sign ca init makes an authority" \
            "$output"
    done
}

@test "server: names and addresses, for servers alone" {
    ca
    fc-sign server -o srv a.Example.com '*.b.example' 127.0.0.1 ::1
    [ "$(stat -c %a srv.key)" = 600 ]
    openssl verify -x509_strict -purpose sslserver -CAfile state/ca/ca.crt srv.crt
    [ "$(tail -n "$(wc -l <state/ca/ca.crt)" srv.crt)" = "$(cat state/ca/ca.crt)" ]
    openssl verify -verify_hostname x.b.example -CAfile state/ca/ca.crt srv.crt
    openssl verify -verify_ip 127.0.0.1 -CAfile state/ca/ca.crt srv.crt
    run openssl verify -purpose sslclient -CAfile state/ca/ca.crt srv.crt
    [ "$status" -ne 0 ]
    text srv.crt | grep -q 'DNS:a.example.com, DNS:\*.b.example, IP Address:127.0.0.1'
    [ "$(ext srv.crt 1)" = 'PRINTABLESTRING flightctl.io/server-svc' ]
    run ext srv.crt 2
    [ "$status" -ne 0 ]

    for bad in 'a b' 'a,DNS:evil' '' '-' 'a..b' 'https://a'; do
        run fc-sign server -o bad -- "$bad"
        [ "$status" -eq 6 ]
        [ ! -e bad.key ]
    done
    run fc-sign server
    [ "$status" -eq 2 ]
}

@test "files are replaced with -f alone" {
    ca
    fc-sign server a.example
    sum=$(sha256sum state/server.*)
    run fc-sign server a.example
    [ "$status" -eq 4 ]
    [ "$output" = "fc-sign: $FC_STATE/server.crt: exists already" ]
    run fc-sign server -n -f a.example
    [ "$status" -eq 0 ]
    [[ ${lines[0]} == "would write $FC_STATE/server.key"* ]]
    [ "$(sha256sum state/server.*)" = "$sum" ]
    fc-sign server -f a.example
    [ "$(sha256sum state/server.*)" != "$sum" ]
    [ "$(openssl x509 -in state/server.crt -noout -pubkey)" = \
        "$(openssl pkey -in state/server.key -pubout)" ]
    [ "$(stat -c %a state/server.key)" = 600 ]
}

@test "enrollment: bootstrap certificate" {
    ca
    fc-sign enrollment
    openssl verify -x509_strict -purpose sslclient -CAfile state/ca/ca.crt state/enrollment.crt
    same 'subject=CN = client-enrollment' \
        "$(openssl x509 -in state/enrollment.crt -noout -subject)"
    [ "$(ext state/enrollment.crt 1)" = 'PRINTABLESTRING flightctl.io/enrollment' ]
    [ "$(ext state/enrollment.crt 2)" = 'PRINTABLESTRING 00000000-0000-0000-0000-000000000000' ]
    fc-sign enrollment --name shops --org 6f1c0f4e-3f0e-4c62-9d0c-0a3a5f1d2e3f
    [ "$(openssl x509 -in state/enrollment-shops.crt -noout -subject)" = \
        'subject=CN = client-enrollment-shops' ]
    same 'PRINTABLESTRING 6f1c0f4e-3f0e-4c62-9d0c-0a3a5f1d2e3f' \
        "$(ext state/enrollment-shops.crt 2)"
    run fc-sign enrollment --name ../x
    [ "$status" -eq 6 ]
    expect 3 fc-sign enrollment --org shops -o x
    has "$stderr" 'organization "shops": '
    [ ! -e x.key ]
}

@test "enrollment --server: a device's whole configuration" {
    ca
    fc-sign enrollment --server https://fleet.example.com:7443 -o config.yaml
    [ "$(stat -c %a config.yaml)" = 600 ]
    field() { sed -n "s/^ *$1: //p" config.yaml | sed -n "${2:-1}p"; }
    [ "$(field server)" = '"https://fleet.example.com:7443"' ]
    [ "$(field server 2)" = '"https://fleet.example.com:7443"' ]
    field client-certificate-data | base64 -d >c.crt
    field client-key-data | base64 -d >c.key
    field certificate-authority-data | base64 -d | cmp - state/ca/ca.crt
    field certificate-authority-data 2 | base64 -d | cmp - state/ca/ca.crt
    openssl verify -purpose sslclient -CAfile state/ca/ca.crt c.crt
    [ "$(openssl x509 -in c.crt -noout -pubkey)" = "$(openssl pkey -in c.key -pubout)" ]

    run fc-sign enrollment --server https://fleet.example.com:7443 -o config.yaml
    [ "$status" -eq 4 ]
    fc-sign enrollment --server https://fleet.example.com | grep -q '^enrollment-service:$'
    for bad in http://a https:// https://:7443 'https://a b' 'https://a"b' 'https://u@a' \
        'https://a/?q'; do
        run fc-sign enrollment --server "$bad" -o bad.yaml
        [ "$status" -eq 6 ]
        [ ! -e bad.yaml ]
    done
    run fc-sign enrollment --server https://a --server-ca fc.conf
    [ "$status" -eq 6 ]
    [ "$output" = "fc-sign: fc.conf: no certificate in PEM" ]
}

@test "admin: who it is, in which organization, as UTF-8 where it must be" {
    ca
    fc-sign admin alice
    openssl verify -x509_strict -purpose sslclient -CAfile state/ca/ca.crt state/admin-alice.crt
    [ "$(ext state/admin-alice.crt 1)" = 'PRINTABLESTRING flightctl.io/admin' ]
    fc-sign admin -o j 'Jörg/Ops'
    openssl asn1parse -in j.crt | grep -q 'UTF8STRING *:Jörg/Ops'
    for bad in device:x "$(printf 'a\nb')" "$(printf '\377')" \
        "$(head -c 256 /dev/zero | tr '\0' a)"; do
        run fc-sign admin -o bad "$bad"
        [ "$status" -eq 6 ]
        [ ! -e bad.key ]
    done
    FC_ORG=nonsense expect 3 fc-sign admin -o bad alice
    [ ! -e bad.key ]
}

@test "csr: a device's certificate is for its own name alone" {
    ca
    name=$(device a)
    fc-sign csr a.csr >a.crt
    openssl verify -x509_strict -purpose sslclient -CAfile state/ca/ca.crt a.crt
    [ "$(openssl x509 -in a.crt -noout -subject)" = "subject=CN = device:$name" ]
    [ "$(ext a.crt 1)" = 'PRINTABLESTRING flightctl.io/device-enrollment' ]
    [ "$(ext a.crt 3)" = "PRINTABLESTRING device:$name" ]
    text a.crt | grep -A1 'Basic Constraints: critical' | grep -q CA:FALSE
    text a.crt | grep -A1 'Key Usage: critical' | grep -q 'Digital Signature, Key Encipherment$'

    device b device: >/dev/null
    fc-sign csr --signer flightctl.io/device-management-renewal - <b.csr >b.crt
    [ "$(ext b.crt 1)" = 'PRINTABLESTRING flightctl.io/device-management-renewal' ]

    openssl req -new -key a.key -subj "/CN=$(cat b.name)" -out fake.csr
    run fc-sign csr fake.csr
    [ "$status" -eq 6 ]
    has "$output" "fake.csr: common name \"$(cat b.name)\" is not the device name of the key, $name"
}

@test "csr: names of keys whose X or Y begins with a zero byte" {
    ca
    cat >x.key <<END
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIFjoVMgJ7w6rWudx5SOhx1rL3DHETyYOL3H+ThM+XW+0oAoGCCqGSM49
AwEHoUQDQgAEABK6rkbUlnjGhXw/hhJ62ziuh4Xhf20mg4k0fdZdZux7kbBUTZBD
fwPSRoJbRr6hRNnbXOy2LG6gLDtGT93qrg==
-----END EC PRIVATE KEY-----
END
    cat >y.key <<END
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIJ0UBqvyLqhzfwErMglHBGDp8UjVaqj8CSzL8oMThC0noAoGCCqGSM49
AwEHoUQDQgAEWqezYsm1mm2bWlUcvf7hLs41plLYPN9dKrRsVKiIT28Aspbwew2m
DnVv6dsCQDi/tfwaF2aroWH1agMjiz4toQ==
-----END EC PRIVATE KEY-----
END
    [ "$(name_of x.key)" = 49qg2kag37hn9anovsdemdpeo43mdvh4jqs0omnddmucb1mrj530 ]
    [ "$(name_of y.key)" = mnflaug50v3feeisqrna5b3ugqc7u6r1art74p13e9350qrh6hl0 ]
    for k in x y; do
        openssl req -new -key $k.key -subj "/CN=$(name_of $k.key)" -out $k.csr
        fc-sign csr $k.csr >$k.crt
    done
}

@test "csr: other signers, other forms of request" {
    ca
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -noenc -keyout k -subj /CN=bob \
        -outform DER -out r.der
    fc-sign csr --signer admin r.der | openssl x509 -noout -subject | grep -qx 'subject=CN = bob'
    fc-sign csr --signer admin --cn eve r.der | openssl x509 -noout -subject | grep -q eve
    fc-sign csr --signer enrollment r.der | openssl x509 -noout -subject |
        grep -q client-enrollment-bob
    run fc-sign csr --signer server r.der
    [ "$status" -eq 6 ]
    fc-sign csr --signer server --name s.example --name 10.0.0.1 r.der | openssl x509 -noout -text |
        grep -q 'DNS:s.example, IP Address:10.0.0.1'
    openssl req -new -key k -subj / -addext subjectAltName=DNS:t.example -out t.csr
    fc-sign csr --signer server t.csr | openssl x509 -noout -text | grep -q DNS:t.example
    sed 's/$/ \r/' t.csr >spaces.csr
    fc-sign csr --signer server spaces.csr >/dev/null
    run fc-sign csr --signer nobody r.der
    [ "$status" -eq 2 ]
}

@test "csr: hostile requests are refused with one line" {
    ca
    openssl genrsa -out weak.key 1024
    openssl req -new -key weak.key -subj /CN=a -out weak.csr
    openssl ecparam -name secp256k1 -genkey -noout -out odd.key
    openssl req -new -key odd.key -subj /CN=a -out odd.csr
    openssl ecparam -name prime256v1 -param_enc explicit -genkey -noout -out explicit.key
    openssl req -new -key explicit.key -subj /CN=a -out explicit.csr
    openssl req -new -key state/ca/ca.key -sha1 -subj /CN=a -out sha1.csr
    openssl req -new -key state/ca/ca.key -subj /CN=a/CN=b -out two.csr
    openssl req -new -key state/ca/ca.key -subj /CN=aaaaaaaa -outform DER |
        sed 's/aaaaaaaa/aaaaaaab/' >tampered.csr
    : >empty.csr
    head -c 70000 /dev/zero >large.csr
    head -c 3000 /dev/urandom >garbage.csr
    printf -- '-----BEGIN CERTIFICATE REQUEST-----\nMAA' >cut.csr
    for f in *.csr "$TOP"/test/fuzz/corpus/cert/bad-*; do
        run fc-sign csr --signer admin "$f"
        [ "$status" -eq 6 ]
        [ "${#lines[@]}" -eq 1 ]
        [[ $output == fc-sign:* ]]
    done
    run fc-sign csr --signer admin nothing.csr
    [ "$status" -eq 3 ]
}

@test "a key that others may open is refused" {
    ca
    chmod 640 state/ca/ca.key
    run fc-sign admin alice
    [ "$status" -eq 5 ]
    [[ $output == *"chmod 600 $FC_STATE/ca/ca.key" ]]
    [ ! -e state/admin-alice.key ]
}

@test "a key that does not belong to the certificate is refused" {
    ca
    mv state/ca/ca.key other.key
    fc-sign ca init --state other >/dev/null
    cp other/ca/ca.key state/ca/ca.key
    run fc-sign admin alice
    [ "$status" -eq 6 ]
    [ "$output" = "fc-sign: $FC_STATE/ca/ca.key is not the key of $FC_STATE/ca/ca.crt" ]
    printf '[ca]\nkey-file = %s\ncertificate-file = %s\n' "$PWD/other.key" \
        "$PWD/state/ca/ca.crt" >fc.conf
    fc-sign admin alice
}

@test "no certificate outlives the authority, and an expired one signs nothing" {
    fc-sign ca init -d 2 >/dev/null
    fc-sign admin alice
    [ "$(openssl x509 -in state/admin-alice.crt -noout -enddate)" = \
        "$(openssl x509 -in state/ca/ca.crt -noout -enddate)" ]
    needs faketime faketime
    openssl_at -9d req -x509 -key state/ca/ca.key -subj /CN=old -days 2 \
        -addext keyUsage=keyCertSign -out state/ca/ca.crt
    run fc-sign admin bob
    [ "$status" -eq 5 ]
    [[ $output == *"has expired on "* ]]
    [ ! -e state/admin-bob.key ]
}

@test "no key is left in the output or in a temporary file" {
    ca
    out=$(fc-sign -v admin alice 2>&1)
    key=$(sed -n 2p state/admin-alice.key)
    [[ $out != *"$key"* ]]
    [ -z "$(find . -name '.fc-*')" ]
}

@test "the manual's examples work" {
    sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/p' "$TOP/man/fc-sign.1" |
        sed -n '/^\$ /{:a;/\\e$/{N;ba};s/^\$ //;s/\\e\n/\\\n/g;p}' >examples.sh
    [ "$(grep -c fc-sign examples.sh)" -eq 9 ]
    fc-store init
    sh -eu examples.sh
    openssl verify -CAfile state/ca/ca.crt bob.crt state/server.crt
}
