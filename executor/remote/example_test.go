package remote_test

import (
	"time"

	"github.com/TrilliantHealth/mops-go/executor/remote"
)

func ExampleThrough() {
	asModels := remote.New(remote.Through("sudo", "-n", "-u", "models"))
	inContainer := remote.New(
		remote.Through("podman", "run", "--rm", "-i", "--sig-proxy=false", "--name", remote.WorkerName, "-v", "/data:/data", "debian:stable"),
		remote.Again("podman", "exec", "-i", remote.WorkerName),
	)
	_, _ = asModels, inContainer
}

func ExampleDocker() {
	inContainer := remote.New(remote.Docker(
		"--volume=/data:/data", "--volume=programs:/programs", "--env=MOPS_CACHE=/programs", "debian:stable",
	))
	_ = inContainer
}

func ExamplePack() {
	_ = remote.New(remote.Slurm("--cpus-per-task=4"), remote.Limit(100), remote.Pack(time.Minute), remote.SideBySide(4))
}

func ExampleProgram() {
	// GOOS=linux GOARCH=arm64 go build -o sky-arm64
	_ = remote.New(remote.SSH("pi-3"), remote.Program("sky-arm64"))
}

func ExampleRoot() {
	_ = remote.New(remote.SSH("lab-7"), remote.Root("file:///Volumes/sky", "file:///data/sky"))
}
