package wecomtest

import (
	"context"

	"wecom-archive/shared/wecom"
)

// Client is the corp as somebody sees it who presents a corpid and a secret. Like
// WeCom's library, which does not look at them in Init, it learns at its first
// call whether they are right.
type Client struct {
	Library
	corp           *Corp
	corpid, secret string
}

// NewClient makes a client. It never fails; its calls may.
func (c *Corp) NewClient(corpid, secret string) *Client {
	return &Client{corp: c, corpid: corpid, secret: secret}
}

// GetChatData is Corp.GetChatData for a client with the right credentials. With
// others the reply carries errcode 40013 (corpid) or 40001 (secret), and an empty
// one is SDK code 10000.
func (cl *Client) GetChatData(ctx context.Context, seq uint64, limit int) ([]byte, error) {
	if cl.corpid == "" || cl.secret == "" {
		return nil, wecom.NewSDKError("GetChatData", 10000)
	}
	if code := cl.corp.refuses(cl.corpid, cl.secret); code != 0 {
		return errcodeReply(code), nil
	}
	return cl.corp.GetChatData(ctx, seq, limit)
}

// refuses is the errcode for these credentials; 0: they are right.
func (c *Corp) refuses(corpid, secret string) (errcode int) {
	switch {
	case corpid != c.config.Corp:
		return 40013
	case secret != c.config.Secret:
		return 40001
	}
	return 0
}
