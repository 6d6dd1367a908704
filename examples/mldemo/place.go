package main

import (
	"errors"
	"fmt"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/image"
	"github.com/TrilliantHealth/mops-go/k8s"

	_ "github.com/TrilliantHealth/mops-go/blob/azureblob" // roots that pods see, too
	_ "github.com/TrilliantHealth/mops-go/blob/s3blob"
)

// place is where training runs.
type place struct {
	on, repository, secret string
	insecure               bool
	gpus                   int
}

func (p place) executor() (executor.Executor, error) {
	switch {
	case p.on == "subprocess":
		return subprocess.New(), nil
	case p.on != "k8s":
		return nil, fmt.Errorf("-on %s: training runs on subprocess or k8s", p.on)
	case p.repository == "":
		return nil, errors.New("-on k8s: say with -image which repository of which registry this program is pushed to")
	}
	var program []image.Option
	if p.insecure {
		program = append(program, image.Insecure())
	}
	options := []k8s.Option{k8s.ImageFrom(image.FromSelf(p.repository, program...)), k8s.CPU("1"), k8s.Memory("512Mi")}
	if p.secret != "" {
		options = append(options, k8s.EnvFromSecret(p.secret))
	}
	if p.gpus > 0 {
		options = append(options, k8s.GPU(p.gpus))
	}
	return k8s.New(options...), nil
}
