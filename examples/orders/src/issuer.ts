import { SampleIssuer } from './sample-issuer.js';

const issuer = await SampleIssuer.start(Number(process.env['PORT'] ?? 7121));
console.log(`The keys are at ${issuer.jwksUrl}. Start the program with

  JWKS_URL=${issuer.jwksUrl} JWT_ISSUER=${issuer.issuer} npm start

A token of the customer "ann", and one of somebody who works in the shop "tea":

  CUSTOMER=${await issuer.token({ id: 'ann' })}
  STAFF=${await issuer.token({ id: 'ben', shops: ['tea'] })}
`);
