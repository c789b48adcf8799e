// Decodes AMR away from the page. amrnb.js is a CommonJS module whose function makes
// the worker that it runs in answer.
"use strict";
var module = {};
importScripts("amrnb.js");
module.exports();
