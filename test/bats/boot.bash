# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034 # T, TOP and BUILD come from helpers; tests use the rest
# This system, with what make install adds, booted by systemd in a container that writes to memory alone.

# inside COMMAND ...: as root of the booted system.
inside() {
    nsenter -t "$LEADER" -m -u -i -n -p -r -w env -i HOME=/root LC_ALL=C.UTF-8 \
        PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin "$@"
}

# boot [NSPAWN-OPTION]: sets LEADER, its first process, as this system sees it. /var/lib is empty,
# unless the option mounts something there, and gone after a reboot of it; all else stays.
boot() {
    # Only what the test starts shall start, the account of the server is not there yet, and no file
    # system of this machine is mounted.
    mkdir -p add/etc
    touch add/etc/fstab add/etc/machine-id
    for file in passwd group shadow gshadow; do
        (umask 077 && grep -v '^_fc:' "/etc/$file" >"add/etc/$file")
    done
    chmod 644 add/etc/passwd add/etc/group
    make -s -C "$TOP" BUILD="$BUILD" DESTDIR="$T/add" install
    mkdir boot
    cat >boot.sh <<'EOF'
set -eu
exec 9<&-
cd /
mount -t tmpfs -o mode=755 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
cp -a "$2/." "$1/upper"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir "/sys/fs/cgroup$3"
echo $$ >"/sys/fs/cgroup$3/cgroup.procs"
# It ends with 133 when the system inside wants a reboot.
code=133
trap 'kill "$child"; wait "$child"; exit' TERM
while [ $code = 133 ]; do
    code=0
    systemd-nspawn -q -D "$1/root" -b --machine="${3##*/}" --register=no --keep-unit \
    --private-network --resolv-conf=off --timezone=off "$4" --kill-signal=SIGKILL \
    --system-call-filter="landlock_create_ruleset landlock_add_rule landlock_restrict_self keyctl add_key" \
    systemd.unit=sockets.target &
    child=$!
    wait $child || code=$?
done
EOF
    CGROUP=$(sed -n 's/^0:://p' /proc/self/cgroup)
    CGROUP=${CGROUP%/}/fc-boot-$BASHPID
    # User namespaces, of which the units make one each, are refused below a chroot. So the tree as it
    # is seen here becomes the root of its mount namespace: entering that leaves the chroot.
    # shellcheck disable=SC2016 # for other shells
    background boot.log unshare --mount --propagation private sh -euc '
        mount -t tmpfs -o mode=755 tmpfs "$1"
        mkdir "$1/self"
        mount --rbind / "$1/self"
        exec 9<"$1/self"
        exec nsenter --mount=/proc/self/ns/mnt sh -euc "cd /proc/self/fd/9
            mount --move . /
            exec chroot . sh \"\$@\"" sh "$2" "$1" "$3" "$4" "$5"' sh "$T/boot" "$T/boot.sh" "$T/add" "$CGROUP" \
        "${1:---tmpfs=/var/lib}"
    NSPAWN=$PID
    if ! WAIT_FOR=60 wait_for booted; then
        cat boot.log
        return 1
    fi
}
leader() { pgrep -P "$(pgrep -P "$NSPAWN" -x systemd-nspawn)" -x systemd; }
booted() {
    kill -0 "$NSPAWN" && LEADER=$(leader) &&
        inside systemctl is-active sockets.target
}

# boot_down: removes what a booted system leaves behind, after fc_teardown: empty control groups.
boot_down() {
    [ -z "${CGROUP:-}" ] || unshare --mount --propagation private sh -euc 'mount -t cgroup2 cgroup2 /sys/fs/cgroup
        find "/sys/fs/cgroup$1" -depth -type d -exec rmdir {} +' sh "$CGROUP"
}
