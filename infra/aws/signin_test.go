//go:build aws

package awstest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"wecom-archive/infra/local/idp"
	"wecom-archive/infra/runtimeapi"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/signin"
)

const (
	pagesURL = "https://pages.example"
	client   = "viewer"
)

// issuer is an OpenID provider on this machine.
type issuer struct {
	*httptest.Server
}

func startIssuer(t *testing.T) issuer {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	provider, err := idp.New(idp.Config{Issuer: server.URL + "/idp", ClientID: client, Redirect: pagesURL + signin.CallbackPath, Accounts: idp.Accounts(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/idp/", provider)
	server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return issuer{server}
}

// choose picks an account and returns the query with which the browser comes back.
func (i issuer) choose(t *testing.T, query, account string) url.Values {
	t.Helper()
	answer, err := i.Client().PostForm(i.URL+"/idp/authorize", url.Values{"query": {query}, "account": {account}})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	back, err := answer.Location()
	if err != nil || !strings.HasPrefix(back.String(), pagesURL+signin.CallbackPath) {
		t.Fatalf("%d, %v, %v", answer.StatusCode, back, err)
	}
	return back.Query()
}

// token is an access token of an account, for the API.
func (i issuer) token(t *testing.T, account string) string {
	t.Helper()
	const verifier = "a-verifier-that-is-long-enough-for-the-rule-of-43"
	sum := sha256.Sum256([]byte(verifier))
	back := i.choose(t, url.Values{
		"client_id": {client}, "redirect_uri": {pagesURL + signin.CallbackPath}, "response_type": {"code"},
		"code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}.Encode(), account)
	answer, err := i.Client().PostForm(i.URL+"/idp/token", url.Values{"code": {back.Get("code")}, "code_verifier": {verifier}})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var tokens struct {
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&tokens); err != nil || tokens.Access == "" {
		t.Fatalf("%d, %v", answer.StatusCode, err)
	}
	return tokens.Access
}

// call sends a sample event, changed.
func call(t *testing.T, f *runtimeapi.Function, name string, change func(*events.APIGatewayV2HTTPRequest)) events.APIGatewayV2HTTPResponse {
	t.Helper()
	var event events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(sample(t, name), &event); err != nil {
		t.Fatal(err)
	}
	change(&event)
	doc, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := f.Invoke(t.Context(), doc)
	var response events.APIGatewayV2HTTPResponse
	if err != nil || json.Unmarshal(answer, &response) != nil {
		t.Fatalf("%s: %s, %v\n%s", name, answer, err, f.Log())
	}
	return response
}

// kept are the cookies that a browser would send back.
func kept(r events.APIGatewayV2HTTPResponse) (all []string) {
	for _, c := range r.Cookies {
		if pair, _, _ := strings.Cut(c, ";"); !strings.HasSuffix(pair, "=") {
			all = append(all, pair)
		}
	}
	return all
}

// TestSignInBootstraps runs the real binaries of signin and admin: somebody signs in at
// an issuer and sees the pages; a token of that issuer opens the API, and no other one.
func TestSignInBootstraps(t *testing.T) {
	signinBinary, adminBinary := bootstrap(t, "signin"), bootstrap(t, "admin")
	s := startLambdas(t)
	provider := startIssuer(t)
	env := append(s.env, "WECOM_ARCHIVE_SESSION_KEY="+s.key, "WECOM_ARCHIVE_ISSUER="+provider.URL+"/idp", "WECOM_ARCHIVE_AUDIENCE="+client,
		"WECOM_ARCHIVE_CLIENT_ID="+client, "WECOM_ARCHIVE_ROLES_CLAIM="+idp.RolesClaim, "WECOM_ARCHIVE_PAGES="+pagesURL)
	f := s.start(t, signinBinary, env)
	if answer, err := f.Invoke(t.Context(), sample(t, "signin/schedule.json")); err != nil {
		t.Fatalf("%s, %v\n%s", answer, err, f.Log())
	}
	begin := call(t, f, "signin/begin.json", func(r *events.APIGatewayV2HTTPRequest) { r.RawQueryString = "back=%2Fc" })
	to, err := url.Parse(begin.Headers["Location"])
	if err != nil || begin.StatusCode/100 != 3 || !strings.HasPrefix(to.String(), provider.URL) {
		t.Fatalf("%d to %v, %v\n%s", begin.StatusCode, to, err, f.Log())
	}
	query := provider.choose(t, to.RawQuery, "reader").Encode()
	if stolen := call(t, f, "signin/callback.json", func(r *events.APIGatewayV2HTTPRequest) { r.RawQueryString, r.Cookies = query, nil }); stolen.StatusCode/100 == 3 && len(kept(stolen)) > 0 {
		t.Errorf("a code without the cookie of its sign-in: %d, %v", stolen.StatusCode, stolen.Cookies)
	}
	begin = call(t, f, "signin/begin.json", func(r *events.APIGatewayV2HTTPRequest) { r.RawQueryString = "back=%2Fc" })
	if to, err = url.Parse(begin.Headers["Location"]); err != nil {
		t.Fatal(err)
	}
	query = provider.choose(t, to.RawQuery, "reader").Encode()
	done := call(t, f, "signin/callback.json", func(r *events.APIGatewayV2HTTPRequest) { r.RawQueryString, r.Cookies = query, kept(begin) })
	if done.StatusCode/100 != 3 || done.Headers["Location"] != "/c" || len(kept(done)) != 1 {
		t.Fatalf("%d to %q, %d cookies\n%s", done.StatusCode, done.Headers["Location"], len(kept(done)), f.Log())
	}

	admin := s.start(t, adminBinary, env)
	page := func(cookies []string, path string) events.APIGatewayV2HTTPResponse {
		return call(t, admin, "admin/page.json", func(r *events.APIGatewayV2HTTPRequest) {
			r.RawPath, r.RequestContext.HTTP.Path, r.RawQueryString, r.Cookies = path, path, "", cookies
		})
	}
	if r := page(nil, "/c"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("a stranger: %d", r.StatusCode)
	}
	if r := page(kept(done), "/c"); r.StatusCode != http.StatusOK || !strings.Contains(r.Body, "李合规 Reader") {
		t.Errorf("the reader: %d %.400s\n%s", r.StatusCode, r.Body, admin.Log())
	}
	if r := page(kept(done), "/setup"); r.StatusCode != http.StatusForbidden {
		t.Errorf("the reader on the operator's page: %d", r.StatusCode)
	}
	if r := page([]string{kept(done)[0] + "x"}, "/c"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("a changed cookie: %d", r.StatusCode)
	}

	// An operator asks for a pull: the record of it is the object that starts the puller.
	begin = call(t, f, "signin/begin.json", func(r *events.APIGatewayV2HTTPRequest) { r.RawQueryString = "back=%2F" })
	if to, err = url.Parse(begin.Headers["Location"]); err != nil {
		t.Fatal(err)
	}
	query = provider.choose(t, to.RawQuery, "operator").Encode()
	operator := kept(call(t, f, "signin/callback.json", func(r *events.APIGatewayV2HTTPRequest) { r.RawQueryString, r.Cookies = query, kept(begin) }))
	press := func(cookies []string, site string) int {
		return call(t, admin, "admin/page.json", func(r *events.APIGatewayV2HTTPRequest) {
			r.RawPath, r.RequestContext.HTTP.Path, r.RequestContext.HTTP.Method, r.RawQueryString, r.Cookies = "/pull", "/pull", http.MethodPost, "", cookies
			r.Headers["sec-fetch-site"] = site
		}).StatusCode
	}
	if reader, elsewhere := press(kept(done), "same-origin"), press(operator, "cross-site"); reader != http.StatusForbidden || elsewhere != http.StatusForbidden {
		t.Errorf("a reader asks for a pull: %d; another site in an operator's name: %d", reader, elsewhere)
	}
	if code := press(operator, "same-origin"); code != http.StatusSeeOther {
		t.Errorf("the operator asks for a pull: %d\n%s", code, admin.Log())
	}
	var requests []string
	for info, err := range s.objects.List(t.Context(), archive.EventsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(info.Key, "/pullrequest-") {
			requests = append(requests, info.Key)
		}
	}
	if len(requests) != 1 || !regexp.MustCompile(`^events/dt=[^/]*/pullrequest-`).MatchString(requests[0]) {
		t.Errorf("stored %q", requests)
	}

	api := func(name, token, subject, roles string) int {
		return call(t, admin, name, func(r *events.APIGatewayV2HTTPRequest) {
			r.Headers["authorization"] = "Bearer " + token
			r.RequestContext.Authorizer.JWT.Claims = map[string]string{"sub": subject, idp.RolesClaim: roles}
		}).StatusCode
	}
	good := provider.token(t, "operator")
	other := startIssuer(t).token(t, "operator")
	for what, test := range map[string]struct {
		event, token, subject, roles string
		status                       int
	}{
		"operator, health":   {"admin/status.json", good, "operator", "operator", 200},
		"operator, content":  {"admin/messages.json", good, "operator", "operator", 403},
		"reader, content":    {"admin/messages.json", provider.token(t, "reader"), "reader", "reader", 200},
		"another issuer's":   {"admin/status.json", other, "operator", "operator", 401},
		"another's subject":  {"admin/status.json", good, "auditor", "operator", 401},
		"altered":            {"admin/status.json", good[:len(good)-4] + "AAAA", "operator", "operator", 401},
		"signed by nobody":   {"admin/status.json", "eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + ".", "operator", "operator", 401},
		"no token, but role": {"admin/status.json", "", "operator", "operator", 401},
	} {
		if got := api(test.event, test.token, test.subject, test.roles); got != test.status {
			t.Errorf("%s: %d, want %d\n%s", what, got, test.status, admin.Log())
		}
	}
	if log := f.Log() + admin.Log(); strings.Contains(log, good) || strings.Contains(log, kept(done)[0]) {
		t.Error("a token or a session is in the log")
	}
}
