package certificates

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"isolate.example.io/certs/authority"
	"isolate.example.io/test/framework/installation"
)

// The leader is killed when the new CA is trusted but has not signed anything yet.
func TestRotationSurvivesLeaderLoss(t *testing.T) {
	delay, err := time.ParseDuration(propagation)
	require.NoError(t, err)
	for name, after := range map[string]func(c *cluster, i *installation.Installation){
		"another replica continues": func(*cluster, *installation.Installation) {},
		"no sweeper runs for longer than a rotation takes": func(c *cluster, i *installation.Installation) {
			for _, sweeper := range running(i, "sweeper") {
				sweeper.Kill()
			}
			killed := time.Now()
			c.until("a rotation would have completed", func() bool { return time.Since(killed) > 3*delay })
			_, err := i.StartSweeper(c.Context())
			require.NoError(c, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := sharedCluster(t)
			i := c.install("overlays/default", "--propagation-delay="+propagation, "--lease-duration=3s")
			leader := c.leader(i)
			_, err := i.StartSweeper(c.Context())
			require.NoError(c, err)
			old := c.secret(authority.CASecret).Data[corev1.TLSCertKey]
			s := c.stream()
			since := s.Sent()
			c.deleteSecret(authority.CASecret)
			var fresh []byte
			c.until("a new CA is trusted besides the old one", func() bool {
				fresh = c.secret(authority.CASecret).Data[corev1.TLSCertKey]
				return len(fresh) > 0 && bytes.Contains(c.bundle(), fresh)
			})
			leader.Kill()
			require.False(c, signedBy(c.secret(authority.ServingSecret).Data[corev1.TLSCertKey], fresh), "the leader was killed too late")
			after(c, i)
			c.waitRotated(old)
			require.Equal(c, string(fresh), string(c.bundle()), "the rotation of the killed leader was completed")
			c.sent(s, since)
			report := s.Stop()
			t.Log(report)
			require.Zero(c, report.Lost)
		})
	}
}

// Two sweepers that both believe they lead find no certificates at the same moment.
// Server-side apply overwrites what the other one created.
func TestConcurrentLeadersAgreeOnFirstInstall(t *testing.T) {
	c := sharedCluster(t)
	i := c.installWith(c.options([]string{quick, "--leader-elect=false"}))
	_, err := i.StartSweeper(c.Context())
	require.NoError(t, err)
	made := func() (n int) {
		for _, sweeper := range running(i, "sweeper") {
			n += c.logged(sweeper, "Created a new CA")
		}
		return n
	}
	const rounds = 5
	before := made()
	for range rounds {
		old := c.secret(authority.CASecret).Data[corev1.TLSCertKey]
		c.signal(i, syscall.SIGSTOP)
		c.deleteSecret(authority.ServingSecret)
		c.deleteSecret(authority.CASecret)
		c.setBundle(nil)
		c.signal(i, syscall.SIGCONT)
		c.waitRotated(old)
		c.healed(i)
	}
	t.Logf("two leaders created %d CAs in %d rounds", made()-before, rounds)
	versions := c.versions()
	s := c.stream() // Gives them time to disagree.
	require.Zero(t, s.Stop().Lost)
	require.Equal(t, versions, c.versions(), "the leaders rewrite nothing")
}

func TestConcurrentLeadersLoseNoAdmission(t *testing.T) {
	c := sharedCluster(t)
	i := c.install("overlays/default", "--propagation-delay="+propagation, "--leader-elect=false")
	_, err := i.StartSweeper(c.Context())
	require.NoError(t, err)
	s := c.stream()
	for _, rotate := range []func(){c.rotateServing, c.rotateCA} {
		since := s.Sent()
		rotate()
		c.sent(s, since)
	}
	report := s.Stop()
	t.Log(report)
	require.Zero(t, report.Lost)
}

// signal sends a signal to all sweepers.
func (c *cluster) signal(i *installation.Installation, signal syscall.Signal) {
	c.Helper()
	for _, sweeper := range running(i, "sweeper") {
		require.NoError(c, syscall.Kill(sweeper.PID(), signal))
	}
}

// versions returns the resourceVersions of everything that the sweepers write.
func (c *cluster) versions() string {
	c.Helper()
	configuration, err := c.admin.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(c.Context(), authority.Configuration, metav1.GetOptions{})
	require.NoError(c, err)
	return strings.Join([]string{
		c.secret(authority.CASecret).ResourceVersion, c.secret(authority.ServingSecret).ResourceVersion, configuration.ResourceVersion,
	}, " ")
}

// The certificates expire while no sweeper runs.
func TestExpiredCertificatesAreReplacedAfterLongOutage(t *testing.T) {
	c := sharedCluster(t)
	i := c.installWith(c.options([]string{quick, "--ca-validity=9s", "--certificate-validity=9s"}))
	for _, sweeper := range running(i, "sweeper") {
		sweeper.Kill()
	}
	replica := running(i, "webhook")[0]
	c.until("both certificates have expired", func() bool {
		now := time.Now()
		return now.After(c.notAfter(authority.ServingSecret)) && now.After(c.notAfter(authority.CASecret))
	})
	c.until("the webhook reports the expired certificate", func() bool {
		outside, _ := c.metric(replica, "isolate_serving_certificate_outside_validity")
		return outside == 1 && c.logged(replica, "The serving certificate is not valid by this machine's clock") > 0
	})
	_, err := i.StartSweeper(c.Context(), "--ca-validity=1h", "--certificate-validity=1h")
	require.NoError(t, err)
	c.healed(i)
	c.until("the webhook reports a valid certificate", func() bool {
		outside, ok := c.metric(replica, "isolate_serving_certificate_outside_validity")
		return ok && outside == 0 && c.logged(replica, "The serving certificate is valid by this machine's clock again") > 0
	})
}
