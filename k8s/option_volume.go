package k8s

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Volume mounts a volume at a path in pods.
func Volume(path string, source corev1.VolumeSource) Option {
	return func(s *settings) {
		name := fmt.Sprintf("volume-%d", len(s.volumes))
		s.volumes = append(s.volumes, corev1.Volume{Name: name, VolumeSource: source})
		s.mounts = append(s.mounts, corev1.VolumeMount{Name: name, MountPath: path})
	}
}

// Claim mounts the volume of a PersistentVolumeClaim at a path in pods.
func Claim(path, claim string) Option {
	return Volume(path, corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim}})
}

// HostPath mounts a folder of the node at a path in pods. Clusters that enforce
// the restricted or the baseline Pod Security Standard refuse it.
func HostPath(path, onNode string) Option {
	return Volume(path, corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: onNode}})
}

// mountedRoot is the place at which pods find a root.
type mountedRoot struct{ from, to string }

// Root tells that pods find a root, and all below it, at another place:
// Root("file:///data", "file:///mnt/data") for a shared file system that is
// mounted elsewhere.
func Root(from, to string) Option {
	from, to = strings.TrimRight(from, "/"), strings.TrimRight(to, "/")
	return func(s *settings) { s.roots = append(s.roots, mountedRoot{from, to}) }
}

// RootFor is the place at which workers find a root; see [Root].
func (e *Executor) RootFor(root string) string {
	for _, r := range e.settings.roots {
		rest, ok := strings.CutPrefix(root, r.from)
		if ok && (rest == "" || rest[0] == '/') {
			return r.to + rest
		}
	}
	return root
}
