package wecomtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"wecom-archive/shared/wecom"
)

// SDKHandler serves GetChatData and GetMediaData over HTTP, in a form of our own, to
// the stand-in for WeCom's native library (infra/sdkstandin): a POST of corpid,
// secret, seq and limit to /sdk/chats, and of corpid, secret, fileid and index to
// /sdk/media. How the real library talks to WeCom is not public.
func (c *Corp) SDKHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sdk/chats", c.sdkChats)
	mux.HandleFunc("POST /sdk/media", c.sdkMedia)
	return mux
}

func (c *Corp) sdkChats(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	seq, err := strconv.ParseUint(r.PostFormValue("seq"), 10, 64)
	limit, err2 := strconv.Atoi(r.PostFormValue("limit"))
	if err := errors.Join(err, err2); err != nil {
		http.Error(w, "seq or limit is no number", http.StatusBadRequest)
		return
	}
	reply, err := c.NewClient(r.PostFormValue("corpid"), r.PostFormValue("secret")).GetChatData(r.Context(), seq, limit)
	var refused *wecom.Error
	var order sdkOrder
	switch {
	case errors.As(err, &refused):
		w.Header().Set("X-Sdk-Order", fmt.Sprintf("code:%d", refused.Code))
	case errors.As(err, &order):
		w.Header().Set("X-Sdk-Order", string(order))
	case err != nil:
		http.Error(w, "cannot answer", http.StatusInternalServerError)
		return
	}
	// The client is gone if this fails; there is nobody to tell.
	_, _ = w.Write(reply)
}

// sdkMedia answers with a slice. The header X-Sdk-Next is the index of the next one,
// which the last one does not have.
func (c *Corp) sdkMedia(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	client := c.NewClient(r.PostFormValue("corpid"), r.PostFormValue("secret"))
	slice, err := client.GetMediaData(r.Context(), r.PostFormValue("fileid"), r.PostFormValue("index"))
	var refused *wecom.Error
	switch {
	case errors.As(err, &refused):
		w.Header().Set("X-Sdk-Order", fmt.Sprintf("code:%d", refused.Code))
	case err != nil:
		http.Error(w, "cannot answer", http.StatusInternalServerError)
		return
	case !slice.Last:
		w.Header().Set("X-Sdk-Next", slice.Next)
	}
	// The client is gone if this fails; there is nobody to tell.
	_, _ = w.Write(slice.Data)
}

// sdkOrder tells the stand-in what to do in place of an answer.
type sdkOrder string

func (o sdkOrder) Error() string { return "order to the library's stand-in: " + string(o) }

// SDKOrder has the library's stand-in carry out an order, such as abort, instead
// of a GetChatData call. infra/sdkstandin/c/sdk.c lists the orders.
func SDKOrder(order string) Fault {
	return func(uint64, int, []byte) ([]byte, error) { return nil, sdkOrder(order) }
}

// OrderAt puts an order to the library's stand-in in the place of the body of an
// envelope, from 0, of the true reply: it is carried out by DecryptData. A reply
// that has no such envelope stays as it is.
func OrderAt(position int, order string) Fault {
	return func(_ uint64, _ int, reply []byte) ([]byte, error) {
		var page struct {
			Errcode  int                          `json:"errcode"`
			Errmsg   string                       `json:"errmsg"`
			Chatdata []map[string]json.RawMessage `json:"chatdata"` // raw: a seq is no float64
		}
		if err := json.Unmarshal(reply, &page); err != nil {
			return nil, fmt.Errorf("simulated fault: %w", err)
		}
		if position >= len(page.Chatdata) {
			return reply, nil
		}
		body, err := json.Marshal("!" + order)
		if err != nil {
			return nil, fmt.Errorf("simulated fault: %w", err)
		}
		page.Chatdata[position]["encrypt_chat_msg"] = body
		return json.Marshal(page)
	}
}
