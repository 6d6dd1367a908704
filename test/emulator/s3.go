package main

import (
	"io"
	"log"
	"net/http/httptest"

	"github.com/TrilliantHealth/mops-go/test/emulator/s3"
)

func startS3() (*server, error) {
	handler := s3.New()
	listening := httptest.NewUnstartedServer(handler)
	listening.Config.ErrorLog = log.New(io.Discard, "", 0)
	listening.Start()
	return &server{
		Name: "gofakes3", URL: listening.URL, newRoot: handler.NewRoot,
		stop: func() {
			listening.CloseClientConnections()
			listening.Close()
		},
	}, nil
}
