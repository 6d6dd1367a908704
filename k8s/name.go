package k8s

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// jobName is "<prefix>-<function>-<hash>": the function for people; the hash,
// of 80 bits, over all that makes this run different from others.
func (s *settings) jobName(inv executor.Invocation) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%d", inv.MemoURI, inv.LeaseID, inv.Attempt))
	return nameWith(s.namePrefix, inv.Function, lowerBase32.EncodeToString(sum[:10]))
}

// nameWith puts a name together; a middle that is too long loses its beginning.
func nameWith(prefix, middle, suffix string) string {
	middle = kube.Slug(middle)
	if most := kube.MostName - len(prefix) - len(suffix) - 2; len(middle) > most {
		middle = strings.TrimLeft(middle[len(middle)-most:], "-")
	}
	if middle == "" {
		return prefix + "-" + suffix
	}
	return prefix + "-" + middle + "-" + suffix
}

func splitHandle(handle string) (namespace, job string, ok bool) {
	namespace, job, ok = strings.Cut(handle, "/")
	ok = ok && len(validation.IsDNS1123Label(namespace)) == 0 && len(validation.IsDNS1123Label(job)) == 0
	return namespace, job, ok
}
