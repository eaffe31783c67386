#!/usr/bin/env bash
# A network outside of a cluster, as that of people at home: it has one way out, to the node, and no route to the addresses of pods. It is there until
# stdin is closed; what is in it goes with it.
# Usage: outside.sh DIRECTORY NODE NETWORK   (DIRECTORY is for its files, NODE is the pid of a node, NETWORK the first three parts of its addresses)
# Once the file DIRECTORY/ready exists, it has the pid of a process in the network. DIRECTORY/hosts says which names are known there, and Firefox trusts the
# authority whose certificate is DIRECTORY/authority.crt.
set -euo pipefail
directory=$1 node=$2 network=$3
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

ip link set lo up
ip link add eth0 type veth peer name outside0 netns "$node"
nsenter --target "$node" --net sh -c "ip address add $network.1/24 dev outside0 && ip link set outside0 up"
ip address add "$network.2/24" dev eth0
ip link set eth0 up
ip route add default via "$network.1"
# A copy, because Firefox may have no directory there to mount something on.
cp -a /etc "$directory/etc"
cp "$directory/hosts" "$directory/etc/hosts"
mkdir -p "$directory/etc/firefox/policies"
echo '{"policies": {"Certificates": {"Install": ["'"$directory/authority.crt"'"]}}}' >"$directory/etc/firefox/policies/policies.json"
mount --bind "$directory/etc" /etc
echo $$ >"$directory/pid"
mv "$directory/pid" "$directory/ready"
while read -r _; do :; done
