package main

import (
	"context"
	"errors"
	"net"
	"strconv"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"isolate.example.io/alertreceiver"
	"isolate.example.io/certs"
	"isolate.example.io/cmd/internal/command"
)

// Run receives alerts until the context ends. It implements [command.Options].
func (o *options) Run(ctx context.Context, process *command.Process) error {
	mgr, err := process.NewManager(manager.Options{})
	if err != nil {
		return err
	}
	receiver := alertreceiver.Options{
		Config:  o.config,
		Address: net.JoinHostPort(o.host, strconv.Itoa(o.port)),
		Tokens:  alertreceiver.TokenFile(o.tokenFile),
		Metrics: metrics.Registry,
	}
	if o.certDir != "" {
		files := certs.NewFileSource(o.certDir, clock.RealClock{})
		receiver.GetCertificate = files.GetCertificate
		if err := errors.Join(mgr.Add(files), mgr.AddReadyzCheck("certificate", files.Ready)); err != nil {
			return err
		}
	}
	if err := alertreceiver.Setup(mgr, receiver); err != nil {
		return err
	}
	return mgr.Start(ctx)
}
