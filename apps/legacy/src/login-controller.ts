import type { Api } from './api';
import type { Session } from './session';

export class LoginController {
  static readonly $inject = ['api', 'session'];
  email = '';
  password = '';
  busy = false;
  failed: string | undefined;

  constructor(
    private readonly api: Api,
    readonly session: Session,
  ) {}

  signIn(): void {
    this.busy = true;
    this.failed = undefined;
    this.api
      .login(this.email, this.password)
      .then(
        ({ token }) => this.session.begin(token),
        (sentence: string) => (this.failed = sentence),
      )
      .finally(() => (this.busy = false));
  }
}
