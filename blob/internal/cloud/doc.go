// Package cloud has the parts that the drivers of cloud stores share, whatever
// their SDK: an HTTP client that ends requests which make no progress, the
// store's clock as its responses tell it, uploads in parts, bodies that notice
// when they are cut short, and names for failures. It stands below the drivers
// s3blob, azureblob and gcsblob, which add what is special about their services.
//
// The SDKs' own retries are off: blob.Retry is the one place that tries again,
// except for the parts of an upload, which are tried again one by one.
package cloud
