package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/TrilliantHealth/mops-go/test/toolcache"
)

// Azurite's version, and the account that it has, with its public key
// (https://learn.microsoft.com/azure/storage/common/storage-connect-azurite).
const (
	azuriteVersion = "3.37.0"
	azuriteAccount = "devstoreaccount1"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// azurite runs Microsoft's emulator of Azure Blob Storage, in memory. It is installed
// from npm into the user's cache folder when it is used first. One is enough for all
// tests of a process, and it ends with this one.
var azurite = sync.OnceValues(func() (*server, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, fmt.Errorf("%w: it needs Node.js: %w", errMissing, err)
	}
	program, err := installAzurite()
	if err != nil {
		return nil, err
	}
	at, err := startAzurite(node, program)
	if err != nil {
		return nil, fmt.Errorf("starting Azurite: %w", err)
	}
	return &server{Name: "azurite", URL: at + "/" + azuriteAccount, Secret: azuriteKey, newRoot: newContainer, stop: func() {}}, nil
})

func newContainer(endpoint, name string) (string, error) {
	key, err := container.NewSharedKeyCredential(azuriteAccount, azuriteKey)
	if err != nil {
		return "", err
	}
	client, err := container.NewClientWithSharedKeyCredential(endpoint+"/"+name, key, nil)
	if err != nil {
		return "", err
	}
	_, err = client.Create(context.Background(), nil)
	return fmt.Sprintf("adls://%s/%s/a/root?endpoint=%s", azuriteAccount, name, url.QueryEscape(endpoint)), err
}

// installAzurite returns the path of Azurite's program.
func installAzurite() (program string, err error) {
	folder, err := toolcache.Folder("azurite-"+azuriteVersion, func(folder string) error {
		fmt.Fprintf(os.Stderr, "installing Azurite %s from npm into %s, once; it takes a minute\n", azuriteVersion, filepath.Dir(folder))
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		npm := exec.CommandContext(ctx, "npm", "install", "--prefix", folder, "--omit=dev", "--ignore-scripts",
			"--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error", "azurite@"+azuriteVersion)
		if out, err := npm.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: npm cannot install it: %w\n%s", errMissing, err, out)
		}
		return nil
	})
	return filepath.Join(folder, "node_modules", "azurite", "dist", "src", "blob", "main.js"), err
}

// azuriteScript runs the program until standard input ends, which it does when
// this process does, in whatever way.
//
// Every ten minutes Azurite removes the contents that no blob has any more. As it
// is, each takes some 15 ms in which it answers nobody, so that after ten minutes of
// tests it stood still for minutes. The script has them removed one by one with the
// index that is there, and requests in between.
const azuriteScript = `process.stdin.on("end", () => process.exit()).resume();
process.argv.splice(1, 0, "azurite-blob");
const contents = require(process.env.AZURITE_PROGRAM.replace("blob/main.js", "common/persistence/LokiExtentMetadataStore.js")).default;
contents.prototype.deleteExtent = async function (id) {
	const all = this.db.getCollection(this.EXTENTS_COLLECTION), one = all.findOne({ id });
	if (one) all.remove(one);
	await new Promise(setImmediate);
};
require(process.env.AZURITE_PROGRAM);`

// lifeline is that standard input, kept from the garbage collector.
//
//lint:ignore U1000 a reference is all that it is for
var lifeline io.Closer

// startAzurite starts the program on a free port, and returns its URL.
func startAzurite(node, program string) (string, error) {
	command := exec.Command(node, "-e", azuriteScript, "--",
		"--blobHost", "127.0.0.1", "--blobPort", "0",
		"--blobKeepAliveTimeout", "600", // seconds; with its 5 it hangs up on clients that are about to send
		"--skipApiVersionCheck", "--inMemoryPersistence", "--silent", "--disableTelemetry")
	command.Env = append(os.Environ(), "AZURITE_PROGRAM="+program)
	command.Dir = os.TempDir()
	stdin, err := command.StdinPipe()
	if err != nil {
		return "", err
	}
	lifeline = stdin
	out, in, err := os.Pipe()
	if err != nil {
		return "", err
	}
	command.Stdout, command.Stderr = in, in
	err = command.Start()
	in.Close()
	if err != nil {
		out.Close()
		return "", err
	}
	watchdog := time.AfterFunc(2*time.Minute, func() { command.Process.Kill() })
	defer watchdog.Stop()
	said := ""
	for lines := bufio.NewScanner(out); lines.Scan(); said += lines.Text() + "\n" {
		if _, url, ok := strings.Cut(lines.Text(), "successfully listens on "); ok {
			go io.Copy(io.Discard, out) // so that it never waits for a reader; ends with it
			return strings.TrimSpace(url), nil
		}
	}
	return "", fmt.Errorf("it said\n%s\nand ended: %w", said, command.Wait())
}
