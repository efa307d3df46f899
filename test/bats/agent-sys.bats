#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # bats sets status, output, stderr
# What a device says of its system: facts, programs of custom-info.d, loads and alerts, units. The
# machine that it sees is made of files, mounted over the kernel's own for it alone.

load helpers
load agent

setup() { fc_setup; }
teardown() { fc_teardown; }

# machine: /proc, /sys and /dev/tpmrm0 of another one, below $T/fake.
machine() {
    local id=fake/sys/class/dmi/id pci=fake/sys/bus/pci/devices

    needs_root
    mkdir -p kernel tpm fake/proc/net fake/proc/sys/kernel/random $id fake/sys/class/net/lan0 \
        $pci/0000:00:02.0 $pci/0000:01:00.0 $pci/0000:02:00.0 d1/usr/share/misc
    ln -s "$T/kernel/self" fake/proc/self
    echo 11111111-2222-4333-8444-555555555555 >fake/proc/sys/kernel/random/boot_id
    echo 'Shop Terminal 9' >$id/product_name
    echo SN-0042 >$id/product_serial
    echo 4c4c4544-0042-3510-8052-b4c04f4a5931 >$id/product_uuid
    echo 'ACME Firmware' >$id/bios_vendor
    printf '1.2.3 \n' >$id/bios_version
    echo 52:54:00:12:34:56 >fake/sys/class/net/lan0/address
    for i in 0 1 2 3; do
        printf 'processor\t: %s\nmodel name\t: Quick CPU @ 2.00GHz\nphysical id\t: 0\ncore id\t\t: %s\n\n' $i $((i / 2))
    done >fake/proc/cpuinfo
    memory 16000000 12000000
    cpu 1000 9000
    {
        echo 'Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT'
        echo 'wifi0	00000000	FE0200C0	0003	0	0	600	00000000	0	0	0'
        echo 'lan0	00000000	016433C6	0003	0	0	100	00000000	0	0	0'
        echo 'lan0	006433C6	00000000	0001	0	0	100	80FFFFFF	0	0	0'
        echo 'wifi0	000200C0	00000000	0001	0	0	600	00FFFFFF	0	0	0'
    } >fake/proc/net/route
    {
        printf '%s\n' Main: '  +-- 0.0.0.0/0 3 0 5' '     |-- 192.0.2.4' '        /32 host LOCAL' \
            '        |-- 198.51.100.0' '           /25 link UNICAST' '        |-- 198.51.100.7' \
            '           /32 host LOCAL' '        |-- 198.51.100.127' '           /32 link BROADCAST'
    } >fake/proc/net/fib_trie
    for device in '0000:00:02.0 0x030000 0x8086 0x3e92' '0000:01:00.0 0x030200 0x10de 0x2236' \
        '0000:02:00.0 0x020000 0x8086 0x15b8'; do
        read -r at class vendor model <<<"$device"
        echo "$class" >"$pci/$at/class"
        echo "$vendor" >"$pci/$at/vendor"
        echo "$model" >"$pci/$at/device"
    done
    printf '%s\n' '# ids' '1002  Other' $'\t3e92  wrong' '10de  NVIDIA Corporation' $'\t2236  GA102GL [A10]' \
        '8086  Intel Corporation' $'\t2236  wrong' >d1/usr/share/misc/pci.ids
    printf '%s\n' 'NAME="Shop Linux"' 'VERSION="9.5 (Plow)"' 'ID=shop' 'VERSION_ID="9.5"' >d1/etc/os-release
    echo kiosk >d1/etc/hostname
}
# memory TOTAL AVAILABLE, in KiB; cpu BUSY IDLE, in ticks since the boot.
memory() {
    printf 'MemTotal:       %s kB\nMemFree:            10 kB\nMemAvailable:   %s kB\n' "$@" >fake/proc/meminfo
}
cpu() {
    printf 'cpu  %s 0 0 %s 0 0 0 0 0 0\nbtime 1700000000\n' "$@" >fake/proc/stat
}

# on_machine COMMAND ...: with that machine around it.
on_machine() {
    # shellcheck disable=SC2016 # for another shell
    unshare --mount sh -euc 'mount --rbind /proc "$0/kernel"
        if [ -e "$0/tpm/tpmrm0" ]; then
            mount --rbind /dev "$0/dev"
            mount -t tmpfs tmpfs /dev
            for f in null zero random urandom tty; do touch /dev/$f; mount --bind "$0/dev/$f" /dev/$f; done
            mkdir /dev/pts && mount --rbind "$0/dev/pts" /dev/pts
            cp -P "$0/tpm/tpmrm0" /dev/
        fi
        ln -sfn "$0/kernel/$$" "$0/fake/proc/$$" # a leak sanitizer looks for its threads there
        mount --bind "$0/fake/proc" /proc
        mount --bind "$0/fake/sys" /sys
        exec "$@"' "$T" "$@"
}
# shellcheck disable=SC2086 # words
agent_there() { on_machine fc-agent --root "$T/d1" $SPLIT "$@"; }

# tpm: one that knows what is asked, and answers as "ACME".
tpm() {
    cat >tpm.py <<'END'
import os, sys, tty
master, slave = os.openpty()
tty.setraw(slave)
os.symlink(os.ttyname(slave), sys.argv[1])
ask = bytes.fromhex('8001000000160000017a000000060000010500000001')
while os.read(master, 100) == ask:
    os.write(master, bytes.fromhex('80010000001b00000000' '01' '00000006' '00000001' '00000105') + b'ACME')
END
    mkdir dev
    background tpm.log python3 tpm.py "$T/tpm/tpmrm0"
    wait_for test -L tpm/tpmrm0
}

all_keys='[hostname, kernel, distroName, distroVersion, distroId, productName, productSerial, productUuid,
    biosVendor, biosVersion, netInterfaceDefault, netIpDefault, netMacDefault, gpu, memoryTotalKb, cpuCores,
    cpuProcessors, cpuModel, tpmVendorInfo, bootTime, managementCertNotAfter, managementCertSerial, colour]'
info() { reported ".status.systemInfo | $1"; }

@test "the system information that is asked for is reported, and labels are made of it" {
    needs_root
    serve
    make_agent d1
    machine
    tpm
    rm d1/etc/flightctl/conf.d/labels.yaml
    echo "system-info: $all_keys" >d1/etc/flightctl/conf.d/info.yaml
    echo 'label-from-systeminfo: {os: distroVersion, alias: productSerial, no: customInfo.none, x: color, a b: kernel}' \
        >d1/etc/flightctl/conf.d/map.yaml
    expect 7 agent_there
    has "$stderr" "system-info: colour: unknown, ignored"
    has "$stderr" "label-from-systeminfo: color: unknown, ignored"
    has "$stderr" "label-from-systeminfo: a b: not a label, left out"
    same '{"alias":"SN-0042","os":"9.5--Plow"}' "$(fc-select enrollmentrequests -q .spec.labels)"
    DEVICE=$(fc-select enrollmentrequests -q .metadata.name -o json | tr -d '"')
    fc-enroll approve "$DEVICE"
    expect 0 agent_there
    cert=d1/var/lib/flightctl/certs/agent.crt
    serial=$(openssl x509 -in $cert -noout -serial | sed 's/.*=//; s/../&:/g; s/:$//')
    until=$(date -u -d "$(openssl x509 -in $cert -noout -enddate | sed 's/.*=//')" +%FT%TZ)
    same "$(jq -Sn --arg kernel "$(uname -r)" --arg serial "$serial" --arg until "$until" '{
        hostname: "kiosk", kernel: $kernel, distroName: "Shop Linux", distroVersion: "9.5 (Plow)",
        distroId: "shop", productName: "Shop Terminal 9", productSerial: "SN-0042",
        productUuid: "4c4c4544-0042-3510-8052-b4c04f4a5931", biosVendor: "ACME Firmware",
        biosVersion: "1.2.3", netInterfaceDefault: "lan0", netIpDefault: "198.51.100.7/25",
        netMacDefault: "52:54:00:12:34:56",
        gpu: "[0] Intel Corporation 0x3e92.[1] NVIDIA Corporation GA102GL [A10]",
        memoryTotalKb: "16000000", cpuCores: "2", cpuProcessors: "4",
        cpuModel: "Quick CPU @ 2.00GHz", tpmVendorInfo: "ACME", bootTime: "2023-11-14T22:13:20Z",
        managementCertNotAfter: $until, managementCertSerial: $serial,
        bootID: "11111111-2222-4333-8444-555555555555", operatingSystem: "linux", privilegeSplit: "on"}')" \
        "$(info 'del(.architecture, .agentVersion)' | jq -S .)"

    # What can change is looked at each time, the rest once a boot.
    echo Other >fake/sys/class/dmi/id/product_name
    memory 8000000 100
    sed -i '/lan0/d' fake/proc/net/route
    expect 0 agent_there
    same "Shop Terminal 9 8000000 wifi0 192.0.2.4/24 null" \
        "$(info '"\(.productName) \(.memoryTotalKb) \(.netInterfaceDefault) \(.netIpDefault) \(.netMacDefault)"')"
    echo 99999999-2222-4333-8444-555555555555 >fake/proc/sys/kernel/random/boot_id
    expect 0 agent_there
    same "99999999-2222-4333-8444-555555555555 Other" "$(info '"\(.bootID) \(.productName)"')"
    # A cache that says nothing is made anew.
    printf '{"boot' >d1/run/flightctl/sysinfo.json
    rm fake/sys/class/dmi/id/product_name
    expect 0 agent_there
    same null "$(info .productName)"

    # The usual ones; by IPv6, if there is nothing else.
    rm d1/etc/flightctl/conf.d/info.yaml d1/etc/flightctl/conf.d/map.yaml fake/proc/net/route
    zero=00000000000000000000000000000000
    printf "$zero 00 $zero 00 %s %s 00000001 00000000 %s %s\n" $zero ffffffff 00200200 lo \
        fe800000000000000000000000000001 00000400 00000003 lan0 >fake/proc/net/ipv6_route
    printf '%s 02 40 %s %s lan0\n' fe800000000000000000000000000005 20 80 \
        20010db8000000000000000000000006 00 01 20010db8000000000000000000000005 00 80 >fake/proc/net/if_inet6
    expect 0 agent_there
    same "lan0 2001:db8::5/64 52:54:00:12:34:56" \
        "$(info '"\(.netInterfaceDefault) \(.netIpDefault) \(.netMacDefault)"')"
    same "agentVersion architecture bootID distroName distroVersion hostname kernel managementCertNotAfter
managementCertSerial netInterfaceDefault netIpDefault netMacDefault operatingSystem privilegeSplit productSerial productUuid
tpmVendorInfo" "$(info 'keys[]' | xargs -n 8)"
    # A certificate that is none, as its owner may write it.
    cp $cert kept.crt
    for damage in 1 2 3 4; do
        { sed -n 1p kept.crt
          openssl x509 -in kept.crt -outform DER | head -c $((damage * damage * 7)) | base64
          echo '-----END CERTIFICATE-----'; } >d1/var/lib/flightctl/certs/agent.crt
        fc-agent --root "$T/d1" status >/dev/null
    done
}

@test "programs of custom-info.d say more, when it is their turn, and only those that root has put there" {
    needs_root
    needs /bin/busybox busybox-static
    serve
    make_agent d1
    # program DIR/NAME <TEXT: by the shell of the device.
    mkdir -p d1/bin d1/usr/lib/flightctl/custom-info.d d1/etc/flightctl/custom-info.d
    cp /bin/busybox d1/bin/sh
    program() {
        { echo '#!/bin/sh'; cat; } >"d1/$1/flightctl/custom-info.d/$2"
        chmod 755 "d1/$1/flightctl/custom-info.d/$2"
    }
    program usr/lib siteId <<<'echo x >>/ran; printf "shop 7\t\nsecond line\n"'
    program usr/lib rackrow <<<'echo 12'
    program usr/lib both <<<'echo usr'
    program etc both <<<'echo etc'
    program usr/lib fails <<<'echo nothing; exit 3'
    program usr/lib open <<<'touch /escaped; echo no'
    chmod 775 d1/usr/lib/flightctl/custom-info.d/open
    program usr/lib target <<<'touch /escaped; echo no'
    ln -s target d1/usr/lib/flightctl/custom-info.d/link
    program usr/lib strange <<<'printf "\377\376\n"'
    program usr/lib flood <<<'while :; do echo flood; done'
    program usr/lib late <<<'echo late'
    cat >d1/etc/flightctl/conf.d/info.yaml <<'END'
system-info: []
system-info-timeout: 2s
system-info-custom: [siteId, rackRow, both, fails, open, link, strange, none, ../../x, flood, late]
label-from-systeminfo: {site: customInfo.siteId}
END
    expect 7 run_agent d1
    same 'fc-agent: system-info-custom: fails: /usr/lib/flightctl/custom-info.d/fails: ended with 3: nothing
fc-agent: system-info-custom: open: /usr/lib/flightctl/custom-info.d/open: file or folder can be written by others than root
fc-agent: system-info-custom: link: /usr/lib/flightctl/custom-info.d/link: not a plain file
fc-agent: system-info-custom: none: no such program in /etc/flightctl/custom-info.d or /usr/lib/flightctl/custom-info.d
fc-agent: system-info-custom: ../../x: not a name of letters, digits, '"'-', '_' and '.'"'
fc-agent: system-info-custom: flood: /usr/lib/flightctl/custom-info.d/flood: did not end within 2 s
fc-agent: /usr/lib/flightctl/custom-info.d/late: not run, the time for system information is over' \
        "$(grep -e info <<<"$stderr")"
    [ ! -e d1/escaped ]
    same '{"alias":"d1","site":"shop-7"}' "$(fc-select enrollmentrequests -q .spec.labels)"
    DEVICE=$(fc-select enrollmentrequests -q .metadata.name -o json | tr -d '"')
    fc-enroll approve "$DEVICE"
    # In the next run it is the turn of those that had no time; the others have said what they had to.
    expect 0 run_agent d1
    same '{"both":"etc","late":"late","rackRow":"12","siteId":"shop 7"}' "$(info .customInfo | jq -Sc .)"
    same 'agentVersion architecture bootID customInfo operatingSystem privilegeSplit' "$(info 'keys[]' | xargs)"
    same 'fc-agent: system-info-custom: ../../x: not a name of letters, digits, '"'-', '_' and '.'" \
        "$(grep info <<<"$stderr" | sort -u)"
    same x "$(cat d1/ran)"
    # A program that is another one, and one whose turn it is.
    sed -i 's/rackRow.*/rackRow]/' d1/etc/flightctl/conf.d/info.yaml
    program usr/lib rackrow <<<'echo 13'
    expect 0 run_agent d1
    same '{"rackRow":"13","siteId":"shop 7"}' "$(info .customInfo | jq -Sc .)"
    same x "$(cat d1/ran)"
    echo 'system-info-custom-interval: 30m' >>d1/etc/flightctl/conf.d/info.yaml
    # shellcheck disable=SC2086 # words
    expect 0 at_time +31m fc-agent --root "$T/d1" $SPLIT
    same "x x" "$(xargs <d1/ran)"
    # What is set wrongly is said; a drop-in is passed over then.
    for wrong in 'system-info: hostname' 'system-info-custom: [1]' 'system-info-timeout: 3m' \
        'system-info-custom-interval: often'; do
        echo "$wrong" >d1/etc/flightctl/conf.d/wrong.yaml
        expect 0 run_agent d1
        grep -qE "wrong.yaml:1: ${wrong%%:*}: (must be|at most).*: passed over" <<<"$stderr"
    done
}

# rule SEVERITY PERCENTAGE DURATION; monitor TYPE INTERVAL MEMBERS RULE ...; watch MONITOR ...
rule() { jq -cn --arg s "$1" --argjson p "$2" --arg d "$3" '{severity: $s, percentage: $p, duration: $d, description: "too much"}'; }
monitor() {
    local type=$1 interval=$2 members=$3

    shift 3
    printf '%s\n' "$@" | jq -cs --arg t "$type" --arg i "$interval" --argjson m "$members" \
        '{monitorType: $t, samplingInterval: $i, alertRules: .} + $m'
}
# at OFFSET WANTED [SAID]: a run of the agent so much later: what the server knows then of the loads of
# CPU, memory and disk, and what the run said of them.
at() {
    clock "$1"
    # shellcheck disable=SC2016,SC2086 # for another shell; words
    expect 0 unshare --mount sh -euc '
        for f in stat meminfo; do mount --bind "$0/fake/proc/$f" /proc/$f; done
        mount -t tmpfs -o size=1m tmpfs "$0/d1/data"
        head -c "$(cat "$0/full")" /dev/zero >"$0/d1/data/file"
        exec env "$@"' "$T" "${CLOCK[@]}" fc-agent --root "$T/d1" $SPLIT
    same "$2" "$(reported '.status.resources | "\(.cpu) \(.memory) \(.disk)"')"
    same "${3:-}" "$(grep -e CPU -e Memory -e Disk <<<"$stderr")"
}

@test "loads that last are reported, by samples that runs leave behind" {
    needs_root
    mkdir -p fake/proc d1/data
    cpu 0 0
    memory 1000 900
    echo 0 >full
    with_device d1
    at +0m "Unknown Unknown Unknown"
    give '[]' "$(jq -cn '{resources: $ARGS.positional}' --jsonargs \
        "$(monitor CPU 1m '{}' "$(rule Warning 50 10m)" "$(rule Critical 90 3m)")" \
        "$(monitor Memory 1m '{}' "$(rule Info 10 1m)" "$(rule Warning 75.5 0s)")" \
        "$(monitor Disk 1m '{"path": "/data"}' "$(rule Critical 60 2m)")")"
    cpu 1000 9000
    at +1m "Unknown Healthy Healthy"
    # From here on: 60 s of two processors are 12000 ticks, and 600 a tenth of one.
    cpu 8000 14000; memory 1000 100
    at +2m "Healthy Warning Healthy" "fc-agent: Memory: Warning: above 75.5% for 0s: too much"
    cpu 15000 19000; memory 1000 245; echo 800000 >full
    at +3m "Healthy Healthy Healthy" "fc-agent: Memory: Healthy again"
    cpu 70000 64000
    at +10m "Healthy Healthy Critical" "fc-agent: Disk /data: Critical: above 60% for 2m: too much"
    # Only now all of ten minutes is above a half; before the first sample nothing was known.
    cpu 86000 74000
    at +12m "Warning Healthy Critical" "fc-agent: CPU: Warning: above 50% for 10m: too much"
    # Early is no sample: what was, stays.
    cpu 86000 174000
    at +12m "Warning Healthy Critical"
    cpu 116000 76000
    at +15m "Critical Healthy Critical" "fc-agent: CPU: Critical: above 90% for 3m: too much"
    # Of an hour without a run ticks still count; what a disk was then, nobody knows.
    cpu 400000 80000
    at +75m "Critical Healthy Healthy" "fc-agent: Disk /data: Healthy again"
    cpu 400000 90000
    at +76m "Healthy Healthy Healthy" "fc-agent: CPU: Healthy again"
    cpu 400000 100000
    at +77m "Healthy Healthy Critical" "fc-agent: Disk /data: Critical: above 60% for 2m: too much"
    # A file that is damaged, or of another boot, is begun anew; the next run goes on with it.
    cp d1/run/flightctl/samples kept
    printf X | dd of=d1/run/flightctl/samples bs=1 seek=5000 conv=notrunc status=none
    cpu 500000 90000
    at +78m "Unknown Healthy Healthy"
    head -c 100 kept >d1/run/flightctl/samples
    at +79m "Unknown Healthy Healthy"
    sed 's/[0-9a-f]\{8\}-[0-9a-f]\{4\}/12345678-1234/' kept >d1/run/flightctl/samples
    at +80m "Unknown Healthy Healthy"
    cpu 500000 100000
    at +81m "Healthy Healthy Healthy"
    # What cannot be measured is an error; monitors that go leave nothing.
    give '[]' "$(jq -cn '{resources: $ARGS.positional}' --jsonargs \
        "$(monitor Disk 1m '{"path": "/data"}' "$(rule Critical 60 2m)")" \
        "$(monitor Disk 1m '{"path": "/none"}' "$(rule Warning 60 2m)")")"
    at +82m "Unknown Unknown Critical" "fc-agent: Disk /data: Critical: above 60% for 2m: too much
fc-agent: Disk /none: cannot be measured: /none: No such file or directory"
    echo 0 >full
    at +83m "Unknown Unknown Error" "fc-agent: Disk /data: Healthy again"
    # Without a server samples are taken all the same; status takes none.
    cp d1/run/flightctl/samples kept
    fc-agent --root "$T/d1" status >/dev/null
    cmp kept d1/run/flightctl/samples
    stop "$API_PID"
    # shellcheck disable=SC2086 # words
    expect 7 at_time +84m fc-agent --root "$T/d1" $SPLIT
    run ! cmp -s kept d1/run/flightctl/samples
}

@test "units of systemd are reported by patterns, as it shows them" {
    needs_root
    needs /bin/busybox busybox-static
    with_device d1
    mkdir -p d1/bin d1/usr/bin
    cp /bin/busybox d1/bin/sh
    cat >d1/usr/bin/systemctl <<'END'
#!/bin/sh
printf '%s\n' "$*" >>/asked
[ ! -e /broken ] || { echo 'Failed to connect to bus' >&2; exit 1; }
while read -r line; do printf '%s\n' "$line"; done </shown
END
    chmod +x d1/usr/bin/systemctl
    cat >d1/shown <<END
Id=b.service
Description=The second = one
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled

LoadState=not-found
ActiveState=inactive
SubState=dead
Id=a.timer
Description=$(head -c 2047 /dev/zero | tr '\0' x)é
UnitFileState=

Id=b.service
Description=The second = one
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled

Id=c.mount
Description=
LoadState=new
ActiveState=polishing
SubState=Strange State
UnitFileState=fancy

Description=without a name
END
    expect 0 run_agent d1
    [ ! -e d1/asked ]
    same null "$(reported .status.systemd)"
    give '[]' '{"systemd": {"matchPatterns": ["b.service", "*.timer", "c[!x]*", "b*"]}}'
    expect 0 run_agent d1
    same "show --all --no-pager --property=Id,Description,UnitFileState,LoadState,ActiveState,SubState -- b.service *.timer c[!x]* b*" \
        "$(sort -u d1/asked)"
    same "a.timer||not-found|inactive|dead|2047
b.service|enabled|loaded|active|running|16
c.mount|unknown|unknown|unknown|unknown|0" "$(reported '.status.systemd[] | "\(.unit)|\(.enableState)|\(.loadState)|\(.activeState)|\(.subState)|\(.description | length)"')"
    # A new state is reported, the same is not.
    sed -i 's/^ActiveState=active/ActiveState=failed/' d1/shown
    expect 0 run_agent d1
    same failed "$(reported '.status.systemd[1].activeState')"
    before=$(reported .metadata.resourceVersion)
    expect 0 run_agent d1
    same "$before" "$(reported .metadata.resourceVersion)"
    # Where systemd does not say, nothing is claimed.
    touch d1/broken
    expect 0 run_agent d1
    has "$stderr" "status of systemd units: systemctl: ended with 1: Failed to connect to bus"
    same null "$(reported .status.systemd)"
    # It is not read from the whole of the spec again; and without patterns nobody is asked.
    same "$(jq -r .current.sha256 d1/var/lib/flightctl/state.json)" "$(jq -r .sha256 d1/run/flightctl/watch.json)"
    give '[]'
    expect 0 run_agent d1
    : >d1/asked
    expect 0 run_agent d1
    same "" "$(cat d1/asked)"
}
