#: about: git add, commit and fsck of 500 files on the mount
#: run: bash {case} {inputs}
#: opaque: *.git/index
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org
export GIT_AUTHOR_DATE='2001-02-03T04:05:06Z' GIT_COMMITTER_DATE='2001-02-03T04:05:06Z'
git -c init.defaultBranch=main init -q . && tar x -f "$1/five-hundred.tar" && git add . && git -c gc.auto=0 commit -q -m all
echo "commit $?"
git rev-parse HEAD
git status --short | wc -l
git fsck --full
echo "fsck $?"
rm -rf .git/hooks
