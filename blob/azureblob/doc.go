// Package azureblob keeps blobs in Azure Blob Storage, also in accounts with a
// hierarchical namespace (Azure Data Lake Storage Gen2). A program that imports
// it opens roots such as
//
//	adls://account/container/path
//
// It stands below package blob, as one of the drivers of cloud stores, and uses
// Microsoft's azblob and azidentity.
//
// # Endpoint
//
// The service is at https://account.blob.core.windows.net, unless a connection
// string or the root says otherwise: the root's parameter endpoint is the URL
// of the blob service, for other clouds and for emulators, where it ends with
// the account:
//
//	adls://account/container/path?endpoint=https://account.blob.core.chinacloudapi.cn
//	adls://devstoreaccount1/container/path?endpoint=http://127.0.0.1:10000/devstoreaccount1
//
// # Credentials
//
// They come from the environment, by the names that the az command line uses.
// The first that is set counts:
//
//  1. AZURE_STORAGE_CONNECTION_STRING, with an account key or a SAS token.
//  2. AZURE_STORAGE_KEY, an account key.
//  3. AZURE_STORAGE_SAS_TOKEN.
//  4. azidentity's DefaultAzureCredential: a service principal
//     (AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_CLIENT_SECRET, …), workload
//     identity, managed identity, the command lines az, azd and Azure
//     PowerShell. AZURE_TOKEN_CREDENTIALS selects among them. If the endpoint
//     is in the cloud of China or of the US government, it signs in there;
//     AZURE_AUTHORITY_HOST names any other authority, which need not be
//     Microsoft's.
//
// A connection string of another account than the root's is an error, and so is
// an AZURE_STORAGE_ACCOUNT beside 2 and 3 that names another one.
//
// Anybody who reads a SAS token or an Entra token can use it. So the driver
// sends them by https only, and only to hosts of Azure's and to that of the
// connection string; a SAS token also to this machine, for emulators. It never
// sends an account key.
//
// # Permissions
//
// With Entra: the role Storage Blob Data Contributor on the container; for
// reading, Storage Blob Data Reader is enough. A SAS token needs r, a, c, w, d
// and l on the container. The driver makes no container.
//
// # What maps to what
//
// A version is the blob's ETag, which Azure changes with every write, equal
// content or not. Put-if-absent is If-None-Match: *, a swap is If-Match; for a
// blob in blocks, the request that makes a blob of them carries the condition.
//
// A blob of up to 5 MiB is one Put Blob, a larger one blocks of 5 MiB, several
// at a time. The service verifies the MD5 of each request's content. The driver
// keeps the CRC-32C of the whole blob in its metadata, as mops_crc32c, and
// verifies it when the blob is read whole; for blobs of other programs it
// verifies their Content-MD5, if they have one. Blocks of unfinished uploads
// vanish after a week.
//
// # Hierarchical namespaces
//
// There, folders are things of their own. The driver does not list them,
// reports them as NotFound, and leaves them behind, empty, when the blobs in
// them are deleted. It refuses a key that goes on below the key of a blob.
package azureblob
