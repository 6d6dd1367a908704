package remote_test

import (
	"github.com/TrilliantHealth/mops-go/executor/remote"
)

func ExampleThrough() {
	asModels := remote.New(remote.Through("sudo", "-n", "-u", "models"))
	inContainer := remote.New(
		remote.Through("docker", "run", "--rm", "-i", "--name", remote.WorkerName, "-v", "/data:/data", "debian:stable-slim"),
		remote.Again("docker", "exec", "-i", remote.WorkerName),
	)
	_, _ = asModels, inContainer
}

func ExampleProgram() {
	// GOOS=linux GOARCH=arm64 go build -o sky-arm64
	_ = remote.New(remote.SSH("pi-3"), remote.Program("sky-arm64"))
}

func ExampleRoot() {
	_ = remote.New(remote.SSH("lab-7"), remote.Root("file:///Volumes/sky", "file:///data/sky"))
}
