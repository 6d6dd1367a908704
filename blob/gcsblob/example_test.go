package gcsblob_test

import (
	"context"
	"fmt"
	"log"

	"github.com/TrilliantHealth/mops-go/blob"
)

// A program that imports the driver may open roots in Google Cloud Storage.
import _ "github.com/TrilliantHealth/mops-go/blob/gcsblob"

func Example() {
	// Opening does not touch the network: the first operation does.
	store, err := blob.Open(context.Background(), "gs://bucket/folder")
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	fmt.Println(store.Root())
	fmt.Println(store.URI("mops1/default/train@0"))
	// Output:
	// gs://bucket/folder
	// gs://bucket/folder/mops1/default/train@0
}
