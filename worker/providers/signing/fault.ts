/** A stored secret could not be turned into proof: public text, and the status that the provider would have given. */
export class SigningFault extends Error {
  /** 401 for a secret that is no good, 503 for an identity service that did not answer. */
  readonly status: 401 | 503;

  constructor(message: string, status: 401 | 503 = 401) {
    super(message);
    this.name = "SigningFault";
    this.status = status;
  }
}
