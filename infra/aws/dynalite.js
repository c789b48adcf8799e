// Serves dynalite on 127.0.0.1, at the port given. By itself dynalite ends when a client
// goes away in the middle of a request, as one that is killed does; DynamoDB does not.
'use strict'
const dynalite = require(process.argv[2] + '/dynalite')
process.on('uncaughtException', err => {
  if (err.code !== 'ECONNRESET') {
    console.error(err)
    process.exit(1)
  }
})
dynalite({ createTableMs: 0 }).listen(Number(process.argv[3]), '127.0.0.1')
