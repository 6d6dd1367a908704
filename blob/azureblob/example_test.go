package azureblob_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/TrilliantHealth/mops-go/blob"
)

// A program that imports the driver may open roots in Azure.
import _ "github.com/TrilliantHealth/mops-go/blob/azureblob"

func Example() {
	os.Setenv("AZURE_STORAGE_KEY", "a2V5") // or sign in with: az login
	defer os.Unsetenv("AZURE_STORAGE_KEY")

	// Opening does not touch the network: the first operation does.
	store, err := blob.Open(context.Background(), "adls://account/container/folder")
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	fmt.Println(store.Root())
	fmt.Println(store.URI("mops1/default/train@0"))
	// Output:
	// adls://account/container/folder
	// adls://account/container/folder/mops1/default/train@0
}
