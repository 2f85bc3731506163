package main

import (
	"bytes"
	"context"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// measures returns the API server's metrics.
func (c *cluster) measures(ctx context.Context) (measures, error) {
	data, err := c.client.CoreV1().RESTClient().Get().AbsPath("/metrics").SetHeader("Accept", "text/plain").Do(ctx).Raw()
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	return parser.TextToMetricFamilies(bytes.NewReader(data))
}

// webhookCalls returns how often the API server has called isolate's webhook.
func (c *cluster) webhookCalls(ctx context.Context) (float64, error) {
	m, err := c.measures(ctx)
	return m.sum("apiserver_admission_webhook_request_total", "name", "pods.isolate.example.io"), err
}
