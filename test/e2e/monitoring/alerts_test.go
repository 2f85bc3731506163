package monitoring

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// healthy are the series of an installation with nothing to report, in the notation of
// promtool: a sample a minute, for an hour.
var healthy = map[string]string{
	`isolate_webhook_ready{pod="webhook-1"}`: "1x60",
	`isolate_webhook_ready{pod="webhook-2"}`: "0x60",
	`apiserver_admission_webhook_rejection_count{name="pods.isolate.example.io", error_type="calling_webhook_error"}`: "3x60",
	`apiserver_admission_webhook_rejection_count{name="pods.isolate.example.io", error_type="no_error"}`:              "0+1x60",
	`isolate_admission_failures_total`:                                       "2x60",
	`isolate_serving_certificate_not_after_timestamp_seconds`:                "7776000x60",
	`isolate_serving_certificate_outside_validity`:                           "0x60",
	`isolate_certificate_blocked`:                                            "0x60",
	`leader_election_master_status{name="isolate-sweeper", pod="sweeper-1"}`: "1x60",
	`leader_election_master_status{name="isolate-sweeper", pod="sweeper-2"}`: "0x60",
	`isolate_overdue_pods`:                                                   "0x60",
	`isolate_missing_replacements`:                                           "0x60",
	`isolate_leaking_pods`:                                                   "0x60",
	`isolate_damaged_pods`:                                                   "0x60",
	`isolate_implausible_pods`:                                               "0x60",
	`isolate_unstored_quarantines_total`:                                     "0+1x60",
	`isolate_clock_skew_seconds{pod="webhook-1"}`:                            "-1.5x60",
	`isolate_oldest_quarantine_seconds`:                                      "86400x60",
}

// incidents are what each alert is about. The alert is silent at the one time and fires at
// the other, and no other alert fires at either.
var incidents = map[string]struct {
	series        map[string]string
	silent, fires string
}{
	"IsolateWebhookDown":                {map[string]string{`isolate_webhook_ready{pod="webhook-1"}`: "1x10 0x50"}, "14m", "17m"},
	"IsolateWebhookUnreachable":         {map[string]string{`apiserver_admission_webhook_rejection_count{name="pods.isolate.example.io", error_type="calling_webhook_error"}`: "3x20 4x40"}, "20m", "22m"},
	"IsolateAdmissionsFail":             {map[string]string{`isolate_admission_failures_total`: "2x20 3x40"}, "20m", "22m"},
	"IsolateCertificateExpiring":        {map[string]string{`isolate_serving_certificate_not_after_timestamp_seconds`: "259800x60"}, "24m", "27m"},
	"IsolateCertificateOutsideValidity": {map[string]string{`isolate_serving_certificate_outside_validity`: "0x10 1x50"}, "25m", "27m"},
	"IsolateCertificateBlocked":         {map[string]string{`isolate_certificate_blocked`: "0x10 1x50"}, "25m", "27m"},
	"IsolateSweeperNotLeading":          {map[string]string{`leader_election_master_status{name="isolate-sweeper", pod="sweeper-1"}`: "1x10 0x50"}, "20m", "22m"},
	"IsolatePodsOverdue":                {map[string]string{`isolate_overdue_pods`: "0x10 2x50"}, "25m", "27m"},
	"IsolateReplacementsMissing":        {map[string]string{`isolate_missing_replacements`: "0x10 2x50"}, "20m", "22m"},
	"IsolatePodsLeak":                   {map[string]string{`isolate_leaking_pods`: "0x10 2x50"}, "25m", "27m"},
	"IsolatePodsDamaged":                {map[string]string{`isolate_damaged_pods`: "0x10 2x50"}, "25m", "27m"},
	"IsolateExpiryImplausible":          {map[string]string{`isolate_implausible_pods`: "0x10 2x50"}, "10m", "12m"},
	"IsolateQuarantinesNotStored":       {map[string]string{`isolate_unstored_quarantines_total`: "0x20 30x40"}, "20m", "22m"},
	"IsolateClockSkewed":                {map[string]string{`isolate_clock_skew_seconds{pod="webhook-1"}`: "1x10 -3x50"}, "15m", "17m"},
	"IsolatePodQuarantined":             {map[string]string{`isolate_quarantined_pods{namespace="shop"}`: "_x10 2x50"}, "9m", "11m"},
	"IsolateQuarantineForgotten":        {map[string]string{`isolate_oldest_quarantine_seconds`: "604200+60x60"}, "10m", "11m"},
}

// promtool's input; see https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/.
type (
	ruleTests struct {
		RuleFiles []string   `json:"rule_files"`
		Tests     []ruleTest `json:"tests"`
	}
	ruleTest struct {
		Name        string     `json:"name"`
		Interval    string     `json:"interval"`
		InputSeries []series   `json:"input_series"`
		ExprTests   []exprTest `json:"promql_expr_test"`
	}
	series struct {
		Series string `json:"series"`
		Values string `json:"values"`
	}
	exprTest struct {
		Expr     string   `json:"expr"`
		EvalTime string   `json:"eval_time"`
		Expected []sample `json:"exp_samples"`
	}
	sample struct {
		Labels string  `json:"labels"`
		Value  float64 `json:"value"`
	}
)

func TestEachAlertFiresAndStaysSilent(t *testing.T) {
	dir := t.TempDir()
	tests := ruleTests{RuleFiles: []string{"rules.yaml"}}
	tests.Tests = append(tests.Tests, newRuleTest("a healthy installation", nil, firing("10m"), firing("55m")))
	for _, rule := range rules(t, filepath.Join(dir, "rules.yaml")) {
		incident, ok := incidents[rule.Alert]
		require.True(t, ok, "%s has no incident in this test", rule.Alert)
		tests.Tests = append(tests.Tests, newRuleTest(rule.Alert, incident.series, firing(incident.silent), firing(incident.fires, rule.Alert)))
	}
	require.Len(t, tests.Tests, len(incidents)+1)
	data, err := json.Marshal(tests)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tests.yaml"), data, 0o600))
	promtool := exec.CommandContext(t.Context(), filepath.Join(prometheusDir, "promtool"), "test", "rules", "--diff", "tests.yaml")
	promtool.Dir = dir
	out, err := promtool.CombinedOutput()
	require.NoError(t, err, string(out))
}

// firing expects exactly these alerts.
func firing(at string, alerts ...string) exprTest {
	expected := []sample{}
	for _, alert := range alerts {
		expected = append(expected, sample{`{alertname="` + alert + `"}`, 1})
	}
	return exprTest{`count by (alertname) (ALERTS{alertstate="firing"})`, at, expected}
}

func newRuleTest(name string, changed map[string]string, expected ...exprTest) ruleTest {
	all := maps.Clone(healthy)
	maps.Copy(all, changed)
	test := ruleTest{Name: name, Interval: "1m", ExprTests: expected}
	for name, values := range all {
		test.InputSeries = append(test.InputSeries, series{name, values})
	}
	return test
}
