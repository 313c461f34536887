# For the scripts beside it, which read it with ".": the address of a database for libpq, without its password.
# Everybody on a machine can read the arguments of every program; a password among them is no secret.

# usage: take_password_out URL DIRECTORY
# Sets ADDRESS, the URL without its password, and exports PGPASSFILE, a new file in DIRECTORY that holds the password.
take_password_out() {
  local url=$1 password
  if [[ $url =~ [?\&](ssl)?password= ]]; then
    echo "$(basename "$0"): write the address as postgres://USER:PASSWORD@HOST:PORT/DATABASE, with no password in the query" >&2
    return 1
  fi
  ADDRESS=$url
  # Where such a password ends is a guess, and a wrong one would leave a part of it in the address.
  if [[ $url =~ ^[a-z]+://[^:@/?]*:[^?]*[@/][^?]*@ ]]; then
    echo "$(basename "$0"): the password in the address holds @ or /; write them as %40 and %2F" >&2
    return 1
  fi
  [[ $url =~ ^([a-z]+://[^:@/]*):([^@/]*)@(.*)$ ]] || return 0
  ADDRESS="${BASH_REMATCH[1]}@${BASH_REMATCH[3]}"
  # Decoded as in a URL, then with the two characters escaped that mean something in a password file.
  password="${BASH_REMATCH[2]//\\/\\\\}"
  printf -v password '%b' "${password//%/\\x}"
  password="${password//\\/\\\\}"
  (umask 077 && printf '*:*:*:*:%s\n' "${password//:/\\:}" > "$2/password")
  unset PGPASSWORD
  export PGPASSFILE="$2/password"
}
