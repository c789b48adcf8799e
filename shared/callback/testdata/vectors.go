//go:build ignore

// This program makes vectors.json with another implementation of the scheme, that of
// github.com/silenceper/wechat: go run vectors.go >vectors.json
package main

import (
	"encoding/json"
	"os"
	"strings"

	"github.com/silenceper/wechat/v2/util"
)

type vector struct {
	Token, Key, Corp, Timestamp, Nonce, Message, Sealed, Signature string
}

func main() {
	var all []vector
	for i, message := range []string{
		"", "1616140317555161061", strings.Repeat("x", 31), strings.Repeat("存", 700),
		"<xml><ToUserName><![CDATA[ww5117a9e0c0ffee01]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName><CreateTime>1767000000</CreateTime><MsgType><![CDATA[event]]></MsgType><AgentID>2000004</AgentID><Event><![CDATA[msgaudit_notify]]></Event></xml>",
		"<xml><ToUserName><![CDATA[ww5117a9e0c0ffee01]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName><CreateTime>1767000001</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[msg_audit_approved]]></ChangeType><UserID><![CDATA[li.na]]></UserID><ExternalUserID><![CDATA[wmQx9ZDAAAexampleCust01]]></ExternalUserID><WelcomeCode><![CDATA[W]]></WelcomeCode></xml>",
	} {
		v := vector{
			Token: "QDG6eK", Key: "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", Corp: "ww5117a9e0c0ffee01",
			Timestamp: "1767000003", Nonce: "nonce" + string(rune('0'+i)), Message: message,
		}
		sealed, err := util.EncryptMsg([]byte("0123456789abcdef"), []byte(message), v.Corp, v.Key)
		if err != nil {
			panic(err)
		}
		v.Sealed, v.Signature = string(sealed), util.Signature(v.Token, v.Timestamp, v.Nonce, string(sealed))
		all = append(all, v)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	if err := out.Encode(all); err != nil {
		panic(err)
	}
}
