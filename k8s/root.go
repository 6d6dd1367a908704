package k8s

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// unreachable says why pods cannot see a call's records: a file:// root is on
// this machine, unless a volume is mounted there. Pods would find the folder
// empty, and the call would seem to be somebody else's.
func unreachable(uri string, pod *corev1.PodSpec) error {
	rest, isFile := strings.CutPrefix(uri, "file://")
	if !isFile {
		return nil
	}
	path, err := url.PathUnescape(rest)
	if err != nil {
		path = rest
	}
	path, _, _ = strings.Cut(path, "/mops1/")
	mounted := slices.ContainsFunc(pod.Containers, func(c corev1.Container) bool {
		return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
			return m.Name != scratchVolume && strings.HasPrefix(path+"/", strings.TrimSuffix(m.MountPath, "/")+"/")
		})
	})
	if mounted {
		return nil
	}
	return fmt.Errorf("pods do not see the root: nothing is mounted in them at %s; mount a shared file system (k8s.Claim, and k8s.Root where it is elsewhere there), or use a cloud store", path)
}
