package s3blob_test

import (
	"context"
	"fmt"
	"log"

	"github.com/TrilliantHealth/mops-go/blob"
)

// A program that imports the driver may open roots in S3.
import _ "github.com/TrilliantHealth/mops-go/blob/s3blob"

func Example() {
	// Opening does not touch the network: the first operation does.
	store, err := blob.Open(context.Background(), "s3://bucket/folder?region=eu-west-1")
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	fmt.Println(store.Root())
	fmt.Println(store.URI("mops1/default/train@0"))
	// Output:
	// s3://bucket/folder
	// s3://bucket/folder/mops1/default/train@0
}
