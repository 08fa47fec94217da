import { updateTag } from 'next/cache';

async function save(form) {
  'use server';
  updateTag(`product-${form.get('id')}`);
}

export default function Page() { return <form action={save}><input name="id" /></form>; }
