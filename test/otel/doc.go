// Package otel shows module otelmops to a real OpenTelemetry collector and to
// Prometheus, with the configuration and the queries of docs/opentelemetry.md. It has
// no code of its own.
package otel
