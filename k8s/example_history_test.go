package k8s_test

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/k8s"
)

// As soon as 20 runs of a function are known, its pods get what 95 % of them needed,
// and a quarter more.
func ExampleMemoryFromHistory() {
	learning := k8s.New(k8s.Memory("8Gi"), k8s.MemoryFromHistory(95), k8s.MemoryMin("512Mi"), k8s.MemoryMax("32Gi"))

	classify := mops.Define("scan/classify", func(ctx context.Context, n int) (int, error) { return n, nil }, mops.On(learning))
	fmt.Println(classify.Name())
	// Output: scan/classify
}
