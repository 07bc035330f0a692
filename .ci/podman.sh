#!/usr/bin/env bash
# Makes sure that Podman's Docker-compatible service answers, on Debian as root, and that it has
# the base image of the Docker engine.  May be run any number of times.  The service is left running.
#
#     DOCKER_HOST=$(.ci/podman.sh) pytest -m docker
#
# AUTOEXP_BASE_IMAGE names the image.
set -euo pipefail

folder=/run/autoexp-podman
host=unix://$folder/podman.sock
image=${AUTOEXP_BASE_IMAGE:-autoexp-base:local}
log=/tmp/autoexp-podman.log
packages=(podman runc netavark catatonit) # catatonit: the init process of containers

say() {
    echo "podman: $*" >&2
}

# Without systemd, control groups are Podman's own to make.  It remembers a command that ended
# for five minutes, with two processes each: some seconds will do.
configure() {
    cat >"$folder/containers.conf" <<END
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
exit_command_delay = 20
runtime = "runc"
[engine.runtimes]
runc = ["$1"]
END
}

# Podman gives a container of root a million open files and processes.  A root without
# CAP_SYS_RESOURCE, as in some virtual machines and containers, may give only what it has itself.
write_runtime() {
    cat >"$folder/runtime" <<'END'
#!/usr/bin/env bash
lower() { # $1: the specification of a container or a command
    local files processes
    files=$(ulimit -Hn) processes=$(ulimit -Hu)
    sed -i -E \
        -e "s/(\"RLIMIT_NOFILE\",\"hard\":)[0-9]+(,\"soft\":)[0-9]+/\1$files\2$files/" \
        -e "s/(\"RLIMIT_NPROC\",\"hard\":)[0-9]+(,\"soft\":)[0-9]+/\1$processes\2$processes/" \
        "$1"
}
before=
for word; do
    case $before in
        --bundle) lower "$word/config.json" ;;
        --process) lower "$word" ;;
    esac
    before=$word
done
PATH=$PATH:/usr/sbin:/sbin exec runc "$@"
END
    chmod 755 "$folder/runtime"
}

if ! dpkg -s "${packages[@]}" >/dev/null 2>&1; then
    say "installing ${packages[*]}"
    if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive \
            apt-get install -q -y --no-install-recommends "${packages[@]}"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        say "${packages[*]} cannot be installed (are you root, on Debian?)"
        exit 1
    fi
fi

mkdir -p "$folder"
if (ulimit -Hn 1048576 && ulimit -Hu 1048576) 2>/dev/null; then
    configure "$(command -v runc)"
else
    write_runtime
    configure "$folder/runtime"
fi
export CONTAINERS_CONF=$folder/containers.conf

if ! docker -H "$host" version >/dev/null 2>&1; then
    say "starting its service, its log is $log"
    # From its own folder: conmon puts a file "oom" where it was started.
    (cd "$folder" && exec nohup podman system service --time=0 "$host" >"$log" 2>&1 </dev/null) &
    for _ in $(seq 60); do
        ! docker -H "$host" version >/dev/null 2>&1 || break
        sleep 0.5
    done
    if ! docker -H "$host" version >/dev/null; then
        tail -n 20 "$log" >&2
        say "no service answered after 30 s; the end of $log is above"
        exit 1
    fi
fi

wanted=$(docker image inspect --format '{{ .Id }}' "$image")
if [ "$(docker -H "$host" image inspect --format '{{ .Id }}' "$image" 2>/dev/null)" != "$wanted" ]; then
    docker save "$image" | docker -H "$host" load >&2
fi
echo "$host"
