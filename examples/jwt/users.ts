/* Stands for your users, with passwords that nobody would keep like this. */

const PASSWORDS = new Map([['alice', 'wonderland'], ['bob', 'builder']])

/** Whether that is this user's password. */
export function isPassword (name: string, password: string): boolean {
  return PASSWORDS.get(name) === password
}
