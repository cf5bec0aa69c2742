#: about: git: init, commit of 500 files, branches, merge, log, gc, clone, fsck, stash, rebase
#: needs: git
#: on: host pip
#: opaque: *.git/index
#: opaque: */index
#: timeout: 120
#: quick: 1
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org
export GIT_AUTHOR_DATE='2001-02-03T04:05:06Z' GIT_COMMITTER_DATE='2001-02-03T04:05:06Z' GIT_PAGER=cat
git config --global init.defaultBranch main
git config --global pack.threads 1
git config --global gc.auto 0
git config --global advice.detachedHead false
git init -q one && cd one || exit 1
mkdir d{0..19}
for i in {1..500}; do for j in {1..30}; do echo $((i + j)); done >d$((i % 20))/f$i; done
git add . && git commit -q -m 'five hundred files' && git rev-parse HEAD
git status --short | wc -l
git checkout -q -b side
for i in $(seq 1 50); do echo side >>d$((i % 20))/f$i; done
git commit -q -a -m side
git checkout -q main
for i in $(seq 60 90); do echo main >>d$((i % 20))/f$i; done
git rm -q -rf d0; git mv d1 moved; git commit -q -a -m main
git merge -q -m merged side 2>&1 | sort
git status --short | sort | head -20
git reset -q --hard main; git merge -q -X theirs -m merged side >/dev/null 2>&1 || git merge --abort
git log --format='%H %s' --stat | sha256sum
git diff main~1 main | sha256sum
echo stashed >d2/f2; git stash -q; git stash list; git stash pop -q; git diff --stat; git checkout -q d2/f2
git tag -a -m tag v1; git describe; git branch -v | sort
git gc -q --prune=now; git count-objects -v | grep -v '^size'
cd .. && git clone -q one two && git -C two log --oneline | wc -l
git clone -q --bare --no-local one bare.git && git -C bare.git rev-parse HEAD
git -C two fsck --full; echo "fsck $?"
git -C two checkout -q -b work && echo work >two/new && git -C two add new && git -C two commit -q -m work
git -C two push -q ../bare.git work; git -C bare.git log --format=%s -1 work
git -C two archive --format=tar HEAD | tar t | wc -l
git -C two grep -c side | sort | head -3; git -C two blame d2/f2 | cut -c1-8 | sort -u
git -C two rebase -q HEAD~1; echo "rebase $?"; git -C two cat-file -p HEAD^{tree} | head -3
git -C nowhere status 2>&1 | head -1; echo "none $?"
rm -rf one/.git/hooks two/.git/hooks bare.git/hooks
