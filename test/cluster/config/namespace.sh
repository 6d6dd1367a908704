# Run as root in the new namespaces of a cluster: mounts, network and processes. All
# of it goes with them.
set -eu

# Mounts of the machine are seen here, and none from here on the machine.
mount --make-rslave /
mount -t proc proc /proc

# Folders of the machine that containerd, CNI and the kubelet would write to.
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
mount -t tmpfs tmpfs /var/log

# The kubelet sets these, and they are the whole machine's: it gets files instead.
mkdir "$DIR/sysctl"
for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
	file=$DIR/sysctl/${name##*/}
	cat /proc/sys/$name >"$file"
	mount --bind "$file" /proc/sys/$name
done

# One bridge for pods, and for the machine by way of eth0. Its MAC address would
# change with every pod. The address of the first service, which is the API
# server's, is here, too: so nobody has to translate addresses.
ip link set lo up
ip address add "$SERVICE/32" dev lo
ip link add pods address 02:00:00:00:00:01 type bridge
ip address add "$API/$BITS" dev pods
ip link set eth0 master pods
ip link set eth0 up
ip link set pods up
