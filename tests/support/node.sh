#!/usr/bin/env bash
# A Kubernetes cluster of one node, as one tree of processes in its own network, mount and PID namespaces. It runs until stdin is
# closed, which happens when the test process ends in any way. Then nothing is left: processes, mounts, interfaces and firewall
# rules go with the namespaces; control groups and unpacked images are removed. Several can run at the same time.
# Usage: node.sh DIRECTORY TOOLS   (DIRECTORY is new and for its files, TOOLS has the pinned servers)
#        node.sh - - probe         (fails, and says why, where root may not do what a node needs)
# Once the file DIRECTORY/ready exists, DIRECTORY/kubeconfig-admin and DIRECTORY/address say how to reach it.
# With NODE_FAMILY=IPv6 in the environment node, pods and Services have IPv6 alone.
set -euo pipefail
directory=$1 tools=$2 part=${3:-hold} outside=${4:-$$}
# containerd looks for its shim on PATH.
export LC_ALL=C PATH=$tools:$PATH:/usr/sbin:/sbin
# Name of its control groups, whose tree all nodes of the machine share.
name=roomkeeper-node-$outside
# Addresses of pods and Services, which are known inside the node only. Those of machine and node, its networks, end in 1 and 2: they are for
# benchmarks (RFC 2544) or for private networks (RFC 4193).
if [[ ${NODE_FAMILY:-IPv4} == IPv6 ]]; then
    readonly pods=fd10:244::/64 services=fd10:96::/112 everywhere=::/0 prefix=64
    network() { echo "fd00:198:18:$1::"; }
    # An address can be used at once, without asking whether another machine has it.
    readonly at_once=(nodad) forwarding=ipv6/conf/all/forwarding tables=ip6tables
else
    readonly pods=10.244.0.0/24 services=10.96.0.0/24 everywhere=0.0.0.0/0 prefix=24
    network() { echo "198.18.$1."; }
    readonly at_once=() forwarding=ipv4/ip_forward tables=iptables
fi

# In a container root may not do all of this, and not every kernel was built with it.
probe() {
    local group=/sys/fs/cgroup/roomkeeper-probe-$$
    [[ -e /sys/fs/cgroup/cgroup.procs ]] || group=/sys/fs/cgroup/memory/roomkeeper-probe-$$
    mkdir "$group" && rmdir "$group"
    # shellcheck disable=SC2016 # the shell in the namespaces knows them
    unshare --net --mount --pid --fork bash -euo pipefail -c '
        mount -t tmpfs tmpfs /run
        mount -t proc proc /proc
        ip link set lo up
        ip link add rk0 type veth peer name rk1
        ip address add "$1" dev rk0
        "$2" -t nat -A POSTROUTING -m comment --comment probe -j MASQUERADE
        "$2" -A FORWARD -m conntrack --ctstate INVALID -j DROP
        "$2" -t nat -A PREROUTING -m statistic --mode random --probability 0.5 -m addrtype --dst-type LOCAL -j RETURN' \
        probe "$(network 0)1/$prefix" "$tables"
}

# Runs outside of the node's namespaces: starts the node, ends it, and removes what does not go with the namespaces.
hold() {
    local node child holder group status=0
    exec 3<&0
    unshare --net --mount --propagation private bash "$0" "$directory" "$tools" enter "$$" </dev/null 3<&- &
    node=$!
    # Whoever ends the whole process group asks these two as well, which are to remove what is left.
    trap '' HUP INT TERM
    echo "$node" >"$directory/pid"
    {
        while read -r _ <&3; do :; done
        # The init process of the node. When it is killed, the kernel kills all others before `wait` returns.
        read -r child <"/proc/$node/task/$node/children" || true
        kill -KILL "${child:-$node}"
    } 2>/dev/null &
    holder=$!
    disown "$holder"
    exec 3<&-
    wait "$node" || status=$?
    kill -KILL "$holder" 2>/dev/null || true
    for group in /sys/fs/cgroup/"$name" /sys/fs/cgroup/*/"$name"; do
        [[ ! -e $group ]] || find "$group" -depth -type d -exec rmdir {} +
    done
    rm -rf "$directory/containerd"
    exit "$status"
}

# Runs in the node's network and mount namespaces: makes the veth pair to the machine, and private copies of the directories that
# servers know by fixed paths.
enter() {
    local n here
    ip link set lo up
    for ((n = 1; ; n++)); do
        ((n < 255)) || { echo "no veth pair can be made: $(ip link add eth0 type veth peer name rk0 netns "$outside" 2>&1)"; exit 1; }
        ip link add eth0 type veth peer name "rk$n" netns "$outside" 2>/dev/null && break
    done
    nsenter --target "$outside" --net sh -c "ip address add $(network "$n")1/$prefix dev rk$n ${at_once[*]} && ip link set rk$n up"
    here=$(network "$n")2
    ip address add "$here/$prefix" dev eth0 "${at_once[@]}"
    ip link set eth0 up
    ip route add default via "$(network "$n")1"
    echo 1 >"/proc/sys/net/$forwarding"
    echo "$here" >"$directory/address"

    mkdir -p /var/lib/cni
    mount -t tmpfs tmpfs /run
    mount -t tmpfs tmpfs /var/log
    mount -t tmpfs tmpfs /var/lib/cni
    exec unshare --pid --fork --kill-child=KILL bash "$0" "$directory" "$tools" run "$outside"
}

# kubeconfig USER GROUP: adds a user of the API server, and writes its kubeconfig.
kubeconfig() {
    local token
    token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    echo "$token,$1,$1,$2" >>"$directory/tokens.csv"
    cat >"$directory/kubeconfig-${1##*:}" <<END
{"apiVersion": "v1", "kind": "Config", "current-context": "node",
 "clusters": [{"name": "node", "cluster": {"server": "https://$host:6443", "certificate-authority": "$directory/certificates/apiserver.crt"}}],
 "users": [{"name": "$1", "user": {"token": "$token"}}],
 "contexts": [{"name": "node", "context": {"cluster": "node", "user": "$1"}}]}
END
}

# start NAME ARGUMENT...: starts a server that logs to DIRECTORY/NAME.log.
start() {
    local server=$1
    shift
    "$tools/$server" "$@" </dev/null >"$directory/$server.log" 2>&1 &
    names[$!]=$server
}

# The init process of the node: starts all others, and ends when one of them ends, which ends the others.
run() {
    local ended procs setting
    declare -A names=()
    address=$(<"$directory/address")
    [[ $address == *:* ]] && host=[$address] || host=$address
    mount -t proc proc /proc
    # The kubelet sets these, and must not set them for the whole machine.
    for setting in kernel/panic kernel/panic_on_oops vm/overcommit_memory; do
        cat "/proc/sys/$setting" >"/run/${setting#*/}"
        mount --bind "/run/${setting#*/}" "/proc/sys/$setting"
    done

    # A lookup of an image registry fails at once, because the node's own DNS server knows no names outside.
    echo "nameserver $address" >"$directory/resolv.conf"
    mount --bind "$directory/resolv.conf" /etc/resolv.conf

    kubeconfig admin system:masters
    kubeconfig system:node:node system:nodes
    kubeconfig system:kube-controller-manager ''
    kubeconfig system:kube-scheduler ''
    kubeconfig system:kube-proxy ''
    local admin=$directory/kubeconfig-admin

    start etcd --data-dir "$directory/etcd" --unsafe-no-fsync --log-level=error
    start kube-apiserver --etcd-servers=http://127.0.0.1:2379 --cert-dir="$directory/certificates" --bind-address="$address" --advertise-address="$address" \
        --service-cluster-ip-range="$services" --service-account-issuer=https://kubernetes.default.svc \
        --service-account-key-file="$directory/service-accounts.pub" --service-account-signing-key-file="$directory/service-accounts.pem" \
        --authorization-mode=Node,RBAC --kubelet-preferred-address-types=InternalIP --enable-admission-plugins=NodeRestriction --token-auth-file="$directory/tokens.csv"

    containerd_configuration >"$directory/containerd.toml"
    network_configuration >"$directory/cni/node.conflist"
    start containerd --config "$directory/containerd.toml"

    until "$tools/kubectl" --kubeconfig "$admin" get --raw /readyz --request-timeout=2s >/dev/null 2>&1; do sleep 0.1; done
    start kube-controller-manager --kubeconfig="$directory/kubeconfig-kube-controller-manager" --use-service-account-credentials \
        --service-account-private-key-file="$directory/service-accounts.pem" --root-ca-file="$directory/certificates/apiserver.crt" \
        --leader-elect=false --secure-port=0
    start kube-scheduler --kubeconfig="$directory/kubeconfig-kube-scheduler" --leader-elect=false --secure-port=0
    start kube-proxy --kubeconfig="$directory/kubeconfig-kube-proxy" --hostname-override=node --proxy-mode=iptables --cluster-cidr="$pods" \
        --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0 \
        --healthz-bind-address= --metrics-bind-address=

    # Control groups version 1 have a hierarchy for each controller, version 2 has one.
    for procs in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; do
        [[ -e $procs && ! -e /sys/fs/cgroup/$name ]] || continue
        mkdir "${procs%/*}/$name"
    done
    kubelet_configuration >"$directory/kubelet.yaml"
    start kubelet --config="$directory/kubelet.yaml" --kubeconfig="$directory/kubeconfig-node" --hostname-override=node --node-ip="$address" \
        --root-dir="$directory/kubelet" --cert-dir="$directory/kubelet-certificates"
    name_server_configuration >"$directory/Corefile"
    start coredns -conf "$directory/Corefile"

    {
        "$tools/kubectl" --kubeconfig "$admin" wait --for=create --timeout=60s node/node
        "$tools/kubectl" --kubeconfig "$admin" wait --for=condition=Ready --timeout=60s node/node
        touch "$directory/ready"
        exec sleep infinity
    } >"$directory/readiness.log" 2>&1 &
    names[$!]=readiness
    wait -n -p ended "${!names[@]}" || true
    echo "${names[$ended]} ended; its last lines:"
    tail -n 20 "$directory/${names[$ended]}.log"
    exit 1
}

containerd_configuration() {
    cat <<END
version = 3
root = "$directory/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "native"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "localhost/pause:latest"
[plugins."io.containerd.cri.v1.runtime"]
  # An unprivileged container may not lower oom_score_adj below that of the test itself.
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "$directory/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      BinaryName = "runc"
END
}

# A veth pair for each pod instead of a bridge: packets on a bridge pass iptables only where br_netfilter is loaded.
network_configuration() {
    cat <<END
{"cniVersion": "1.0.0", "name": "node", "plugins": [
  {"type": "ptp", "ipMasq": true, "ipam": {"type": "host-local", "ranges": [[{"subnet": "$pods"}]], "routes": [{"dst": "$everywhere"}]}}]}
END
}

kubelet_configuration() {
    cat <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
clusterDNS: ["$address"]
clusterDomain: cluster.local
resolvConf: $directory/resolv.conf
podLogsDir: $directory/pods
volumePluginDir: $directory/kubelet/plugins
cgroupDriver: cgroupfs
cgroupRoot: /$name
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
evictionHard: {}
imageMinimumGCAge: 24h
# Tests wait for containers that end to start again; by default that takes 10 s the first time, and longer each time.
crashLoopBackOff: {maxContainerRestartPeriod: 1s}
END
}

name_server_configuration() {
    cat <<END
.:53 {
    bind $address
    errors
    kubernetes cluster.local {
        kubeconfig $directory/kubeconfig-admin
    }
}
END
}

"$part"
