#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What make install puts where, and that uninstall takes it away again.
# once: the files are the same whatever built them
load helpers

setup() { fc_setup; }
teardown() { fc_teardown; }

# make with what is built, in a folder of the test's own
make_in() { make -s -C "$TOP" BUILD="$BUILD" DESTDIR="$T/root" "$@"; }

@test "install puts each part where its reader looks" {
    local c page

    make_in install
    cd "$T/root/usr/local"
    for c in "$BUILD"/bin/fc-*; do
        c=${c##*/}
        [ "$(stat -c %a "bin/$c")" = 755 ]
        strip -o "$T/stripped" "$BUILD/bin/$c"
        cmp "$T/stripped" "bin/$c"
        [ -s "share/bash-completion/completions/$c" ]
        [ -s "share/zsh/site-functions/_$c" ]
        [ -s "share/fish/vendor_completions.d/$c.fish" ]
        page=$(echo share/man/man?/"$c".?)
        [ "$(stat -c %a "$page")" = 644 ]
        [ "${page%/*}" = "share/man/man${page##*.}" ]
    done
    for c in yaml crypto serve curl identity; do
        [ -s "lib/fc/fc_$c.so" ]
    done
    [ -s share/fc/schema/Device.json ]
    [ -s "$T/root/usr/lib/flightctl/hooks.d/afterupdating/00-default.yaml" ]
    [ -s share/doc/fc/examples/fleet.yaml ]
    [ -s share/doc/fc/README.md ]
    grep -qx 'ExecStart=/usr/local/bin/fc-agent run' lib/systemd/system/fc-agent.service
    run ! grep -r '@[a-z]*dir@' lib/systemd
}

@test "uninstall leaves nothing" {
    make_in install
    make_in uninstall
    run find "$T/root" ! -type d
    same "" "$output"
}

@test "another PREFIX moves all of it, and uninstall goes there too" {
    # The modules' place is compiled in, so this builds one file and links again.
    cp -R "$BUILD" "$T/build"
    make -s -C "$TOP" BUILD="$T/build" PREFIX="$T/opt" install
    mkdir "$T/elsewhere"
    cd "$T/elsewhere"
    printf 'apiVersion: flightctl.io/v1beta1\nkind: Device\nmetadata: {name: d1}\nspec: {}\n' >d.yaml
    "$T/opt/bin/fc-store" init
    expect 0 strace -o trace -e trace=openat "$T/opt/bin/fc-apply" -f d.yaml # loads module yaml
    grep -q "$T/opt/lib/fc/fc_yaml.so" trace
    make -s -C "$TOP" BUILD="$T/build" PREFIX="$T/opt" uninstall
    run find "$T/opt" ! -type d
    same "" "$output"
}

@test "the completions are good scripts of their shells" {
    local c

    for c in "$TOP"/share/completions/bash/*; do bash -n "$c"; done
    for c in "$TOP"/share/completions/zsh/*; do zsh -n "$c"; done
    for c in "$TOP"/share/completions/fish/*; do fish -n "$c"; done
}
