package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"wecom-archive/shared/person"
	"wecom-archive/shared/store"
)

const (
	maxKeys     = 256 << 10      // bytes of a provider's keys
	keysLast    = 48 * time.Hour // keys that were not seen for so long at the provider may be withdrawn
	rereadAfter = time.Minute    // for a key that is not known; else strangers could make us read the index
)

// algorithms that a token may be signed with: asymmetric ones only, and never none.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA}

// issuerKeys are the provider's keys as the index holds them, sealed.
type issuerKeys struct {
	Issuer string             `json:"issuer"`
	Seen   time.Time          `json:"seen"` // at the provider
	Keys   jose.JSONWebKeySet `json:"keys"`
}

// sealedDoc is an item that only the key of sessions opens.
type sealedDoc struct {
	Sealed []byte `json:"sealed"`
}

// KeepKeys asks the issuer for its public keys and stores them for Verifier, sealed
// with the key of sessions, so that nothing else that writes to the index can slip in
// a key of its own.
func KeepKeys(ctx context.Context, client *http.Client, issuer string, index store.Index, s *Sessions) error {
	keys, err := fetchKeys(ctx, client, issuer)
	if err != nil {
		return fmt.Errorf("asking the issuer for its keys: %w", err)
	}
	doc, err := json.Marshal(issuerKeys{Issuer: issuer, Seen: s.Now().UTC(), Keys: keys})
	if err != nil {
		return fmt.Errorf("encoding the issuer's keys: %w", err)
	}
	value, err := json.Marshal(sealedDoc{s.aead.Seal(nil, nil, doc, []byte(issuerSort))})
	if err != nil {
		return fmt.Errorf("encoding the issuer's keys: %w", err)
	}
	if err := index.Put(ctx, store.Item{Partition: partition, Sort: issuerSort, Value: value}); err != nil {
		return fmt.Errorf("storing the issuer's keys: %w", err)
	}
	return nil
}

func fetchKeys(ctx context.Context, client *http.Client, issuer string) (jose.JSONWebKeySet, error) {
	var none jose.JSONWebKeySet
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, client), issuer)
	if err != nil {
		return none, err
	}
	var about struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&about); err != nil {
		return none, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, about.Keys, nil)
	if err != nil {
		return none, err
	}
	response, err := client.Do(request)
	if err != nil {
		return none, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return none, fmt.Errorf("its keys: status %d", response.StatusCode)
	}
	doc, err := io.ReadAll(io.LimitReader(response.Body, maxKeys+1))
	if err != nil {
		return none, err
	}
	if len(doc) > maxKeys {
		return none, fmt.Errorf("its keys have more than %d bytes", maxKeys)
	}
	var found jose.JSONWebKeySet
	if err := json.Unmarshal(doc, &found); err != nil {
		return none, fmt.Errorf("its keys: %w", err)
	}
	found.Keys = slices.DeleteFunc(found.Keys, func(k jose.JSONWebKey) bool { return !k.IsPublic() || !k.Valid() || k.Use == "enc" })
	if len(found.Keys) == 0 {
		return none, errors.New("it has no public keys")
	}
	return found, nil
}

// Verifier checks the access tokens of /v1 with the keys that KeepKeys has stored; it
// needs no way to the provider. It is safe for concurrent use.
type Verifier struct {
	Issuer   string
	Audience string // of the token: aud, or client_id where the issuer writes no aud (Cognito)
	Index    store.Index
	Sessions func(context.Context) (*Sessions, error) // that sealed the keys
	Now      func() time.Time

	mu   sync.Mutex
	keys issuerKeys
	read time.Time
}

// Subject returns the subject of a token, person.ErrUnauthenticated, wrapped, for a
// token that is not good, and any other error if that could not be found out.
func (v *Verifier) Subject(ctx context.Context, token string) (string, error) {
	// In its compact form only (RFC 9068, §2): the other one has headers that nobody signed,
	// in which an ID token could call itself an access token.
	parsed, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil || len(parsed.Signatures) != 1 {
		return "", fmt.Errorf("%w: it is no token signed as it must be", person.ErrUnauthenticated)
	}
	keys, err := v.with(ctx, parsed.Signatures[0].Header.KeyID)
	if err != nil {
		return "", err
	}
	checker := oidc.NewVerifier(v.Issuer, keySet(keys), &oidc.Config{SkipClientIDCheck: true, SupportedSigningAlgs: names(algorithms), Now: v.Now})
	checked, err := checker.Verify(ctx, token)
	if err != nil {
		return "", fmt.Errorf("%w: %w", person.ErrUnauthenticated, err)
	}
	var claims struct {
		ClientID string `json:"client_id"`
		Use      string `json:"token_use"`
		Type     string `json:"typ"` // Keycloak: Bearer, ID
		Nonce    any    `json:"nonce"`
		AtHash   any    `json:"at_hash"`
		CodeHash any    `json:"c_hash"`
	}
	if err := checked.Claims(&claims); err != nil {
		return "", fmt.Errorf("%w: reading the claims: %w", person.ErrUnauthenticated, err)
	}
	header, _ := parsed.Signatures[0].Header.ExtraHeaders[jose.HeaderType].(string)
	header = strings.TrimPrefix(strings.ToLower(header), "application/")
	// A token that calls itself one for access (RFC 9068, Cognito, Keycloak) may carry a
	// nonce; else what only ID tokens carry betrays one (OpenID Connect Core §2, §3.3.2.11).
	named := header == "at+jwt" || claims.Use == "access" || claims.Type == "Bearer"
	proof := claims.Nonce != nil || claims.AtHash != nil || claims.CodeHash != nil
	switch {
	case header != "" && header != "jwt" && header != "at+jwt", claims.Type == "ID", proof && !named:
		return "", fmt.Errorf("%w: not an access token", person.ErrUnauthenticated)
	case checked.Subject == "":
		return "", fmt.Errorf("%w: the token has no subject", person.ErrUnauthenticated)
	case claims.Use != "" && claims.Use != "access":
		return "", fmt.Errorf("%w: not an access token", person.ErrUnauthenticated)
	case !slices.Contains(checked.Audience, v.Audience) && (len(checked.Audience) > 0 || claims.ClientID != v.Audience):
		return "", fmt.Errorf("%w: a token for somebody else", person.ErrUnauthenticated)
	}
	return checked.Subject, nil
}

// with returns the keys, read anew if they do not hold this one.
func (v *Verifier) with(ctx context.Context, kid string) (jose.JSONWebKeySet, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.Now()
	known := len(v.keys.Keys.Key(kid)) > 0 && now.Sub(v.keys.Seen) < keysLast/2
	if !known && (v.read.IsZero() || now.Sub(v.read) >= rereadAfter) {
		keys, err := v.stored(ctx)
		if err != nil {
			return jose.JSONWebKeySet{}, err
		}
		v.keys, v.read = keys, now
	}
	if age := now.Sub(v.keys.Seen); age > keysLast {
		return jose.JSONWebKeySet{}, fmt.Errorf("the issuer's keys were last seen %v ago: does the sign-in function run?", age.Round(time.Minute))
	}
	return v.keys.Keys, nil
}

func (v *Verifier) stored(ctx context.Context) (issuerKeys, error) {
	sessions, err := v.Sessions(ctx)
	if err != nil {
		return issuerKeys{}, err
	}
	item, err := v.Index.Get(ctx, partition, issuerSort)
	if err != nil {
		return issuerKeys{}, fmt.Errorf("reading the issuer's keys: %w", err)
	}
	var sealed sealedDoc
	if err := json.Unmarshal(item.Value, &sealed); err != nil {
		return issuerKeys{}, fmt.Errorf("reading the issuer's keys: %w", store.ErrIndexDamaged)
	}
	doc, err := sessions.aead.Open(nil, nil, sealed.Sealed, []byte(issuerSort))
	if err != nil {
		return issuerKeys{}, fmt.Errorf("the issuer's keys were not stored by the sign-in function: %w", err)
	}
	var keys issuerKeys
	if err := json.Unmarshal(doc, &keys); err != nil {
		return issuerKeys{}, fmt.Errorf("reading the issuer's keys: %w", err)
	}
	if keys.Issuer != v.Issuer {
		return issuerKeys{}, errors.New("the stored keys are of another issuer; the sign-in function has not run since it was changed")
	}
	return keys, nil
}

// keySet verifies signatures for package oidc.
type keySet jose.JSONWebKeySet

// VerifySignature implements oidc.KeySet.
func (k keySet) VerifySignature(_ context.Context, token string) ([]byte, error) {
	parsed, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return nil, err
	}
	for _, key := range (*jose.JSONWebKeySet)(&k).Key(parsed.Signatures[0].Header.KeyID) {
		if key.Algorithm != "" && key.Algorithm != parsed.Signatures[0].Header.Algorithm {
			continue
		}
		if payload, err := parsed.Verify(key); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("no key of the issuer has signed it")
}

func names(algorithms []jose.SignatureAlgorithm) (all []string) {
	for _, a := range algorithms {
		all = append(all, string(a))
	}
	return all
}
