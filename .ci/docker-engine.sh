#!/usr/bin/env bash
# Makes sure that a Docker engine answers and that bubblewrap is there, on Debian as root.
# May be run or sourced, any number of times.  The engine is left running.

autoexp_install() {
    # $1: the program that must be there, $2: the package that has it
    command -v "$1" >/dev/null && return 0
    echo "docker-engine: installing $2"
    if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive \
            apt-get install -q -y --no-install-recommends "$2"; } >/tmp/autoexp-apt.log 2>&1; then
        tail -n 20 /tmp/autoexp-apt.log >&2
        echo "docker-engine: $2 cannot be installed; install $1 by hand (are you root, on Debian?)" >&2
        return 1
    fi
}

autoexp_docker_engine() {
    local log=/tmp/autoexp-dockerd.log
    autoexp_install bwrap bubblewrap || return 1
    if docker info >/dev/null 2>&1; then
        return 0
    fi
    autoexp_install dockerd docker.io || return 1
    autoexp_install docker docker-cli || return 1
    if docker info >/dev/null 2>&1; then  # the package may have started it
        return 0
    fi
    echo "docker-engine: starting dockerd, its log is $log"
    nohup dockerd >"$log" 2>&1 </dev/null &
    local tries
    for tries in $(seq 120); do
        if docker info >/dev/null 2>&1; then
            return 0
        fi
        sleep 0.5
    done
    tail -n 20 "$log" >&2
    echo "docker-engine: no engine answered after 60 s; the end of $log is above" >&2
    return 1
}

autoexp_docker_engine
