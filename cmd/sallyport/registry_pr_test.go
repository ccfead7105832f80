package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What GitHub answers is tested in registry/remote; here is what people see.
func TestPR(t *testing.T) {
	p := newPlace(t)
	p.write("r.yaml", served1)
	created := map[string]any{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer s3cret-token" {
			http.Error(w, `{"message":"Bad credentials s3cret"}`, http.StatusUnauthorized)
			return
		}
		answer := func(status int, body string) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
		switch r.Method + " " + r.URL.Path {
		case "GET /repos/acme/tools":
			answer(200, `{"default_branch":"main"}`)
		case "GET /repos/acme/tools/git/ref/heads/main":
			answer(200, `{"ref":"refs/heads/main","object":{"sha":"0000000000000000000000000000000000000001"}}`)
		case "POST /repos/acme/tools/git/refs":
			answer(201, `{}`)
		case "PUT /repos/acme/tools/contents/r.yaml":
			answer(201, `{}`)
		case "GET /repos/acme/tools/pulls":
			answer(200, `[]`)
		case "POST /repos/acme/tools/pulls":
			_ = json.NewDecoder(r.Body).Decode(&created)
			answer(201, `{"number":4,"html_url":"https://github.example/acme/tools/pull/4"}`)
		default:
			answer(404, `{"message":"Not Found"}`)
		}
	}))
	defer server.Close()
	args := []string{"pr", "--registry", p.at("r.yaml"), "--repo", "acme/tools", "--branch", "b", "--github-url", server.URL}
	_, stderr := p.run(2, args...)
	wants(t, stderr, "there is no token", "hint: export GITHUB_TOKEN")
	p.env["GH_TOKEN"] = "s3cret-token"
	stdout, _ := p.run(0, args...)
	wants(t, stdout, "opened https://github.example/acme/tools/pull/4")
	if created["title"] != "Registry: 1 new" || created["head"] != "b" || created["base"] != "main" || !strings.Contains(created["body"].(string), "`web`") {
		t.Error(created)
	}
	args[6] = "main"
	_, stderr = p.run(2, args...)
	wants(t, stderr, "needs a branch of its own", "hint: --branch")
	p.env["GITHUB_TOKEN"] = "wrong"
	args[6] = "b"
	_, stderr = p.run(2, args...)
	wants(t, stderr, "401", "hint: ")
	p.run(2, "pr", "--registry", p.at("r.yaml"), "--repo", "acme", "--branch", "b")
	p.run(2, "pr", "--registry", p.at("r.yaml"), "--repo", "acme/tools")
	p.run(2, "pr", "--registry", p.at("r.yaml"), "--repo", "acme/tools", "--branch", "b", "--github-url", "nowhere")
}
